"""Ranking: pure functions over plain data. Knows nothing of stores, models, files or git."""

from auto_context.rank.candidate import Candidate
from auto_context.rank.fusion import Fused, fuse, merge
from auto_context.rank.steps import STEPS, Asked, demotion, diversify, is_test, rank

__all__ = ["STEPS", "Asked", "Candidate", "Fused", "demotion", "diversify", "fuse", "is_test", "merge", "rank"]
