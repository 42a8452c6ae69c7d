"""What can be set, by whom, and what holds now.

From the weakest to the strongest:

default              of the schema
user's file          ``auto-context.toml`` in the configuration folder
environment          ``AUTO_CONTEXT_<NAME>``; the items of a list have ``:`` between them, as in PATH
command, editor      an option of a command, an option of the Lua plugin
repository's file    ``.auto-context.toml`` at the top of a work tree: narrows what is indexed, never widens it

Whoever asks reads the environment for what it asks (``limit``, ``threshold``, ``wait_ms``). What the service does for
everyone it reads from its own environment; a client that starts one in passing keeps these variables to itself, so the
first client configures nobody. Which model runs is the file's alone to say.
"""

from auto_context.config.repository import REPOSITORY_FILE, narrowed
from auto_context.config.schema import Editor, Setting, Settings, schema
from auto_context.config.sources import FILE_NAME, Effective, from_mapping, load, read, stamp, without_settings

__all__ = [
    "FILE_NAME",
    "REPOSITORY_FILE",
    "Editor",
    "Effective",
    "Setting",
    "Settings",
    "from_mapping",
    "load",
    "narrowed",
    "read",
    "schema",
    "stamp",
    "without_settings",
]
