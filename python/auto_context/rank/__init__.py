"""Ranking: pure functions over plain data. Knows nothing of stores, models, files or git."""
