"""auto-context: a local index of your code that is searched by meaning, by name and by file."""

__version__ = "0.1.0"
