"""Tiny models with random weights, laid out as real ones are."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tiny_models import write_model

MakeModel = Callable[..., Path]


@pytest.fixture
def make_model(tmp_path: Path) -> MakeModel:
    """Write a model's folder; see ``write_model``."""
    return partial(write_model, tmp_path)
