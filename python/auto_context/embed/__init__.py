"""Text into vectors: which model (``model``), what it reads (``compose``), running it (``encoder``)."""
