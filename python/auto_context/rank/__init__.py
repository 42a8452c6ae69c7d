"""Ranking: pure functions over plain data. Knows nothing of stores, models, files or git."""

from auto_context.rank.candidate import Candidate
from auto_context.rank.fusion import Fused, fuse, merge
from auto_context.rank.steps import STEPS, Asked, diversify, rank

__all__ = ["STEPS", "Asked", "Candidate", "Fused", "diversify", "fuse", "merge", "rank"]
