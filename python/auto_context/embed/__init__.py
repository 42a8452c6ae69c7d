"""Text into vectors: which model (``model``), what it reads (``compose``), and running it (``encoder``, needs torch)."""
