"""Embeddings: which model (``model``), what text of a chunk (``compose``), and the vectors (``encoder``).

Only ``encoder`` imports torch.
"""
