"""Hits of files that changed since they were read: where they are now, and whether they say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from auto_context.engine import Engine
from auto_context.types import Hit, SearchRequest

OTHERS = "".join(f"def other_{number}(x):\n    return x * {number}\n\n\n" for number in range(40))
HERON = """def wading_heron(pond, patience):
    depth = measure_depth(pond)
    if depth > patience:
        raise TooDeep(pond)
    fish = sorted(pond.fish)
    return fish[0] if fish else None
"""


@pytest.fixture
def bird(engine: Engine, shop: Path) -> Path:
    file = shop / "src/bird.py"
    file.write_text(OTHERS + HERON)
    engine.update(shop)
    return file


def heron(engine: Engine, bird: Path, query: str = "wading heron patience") -> Hit:
    hits = engine.search(SearchRequest(query, str(bird.parents[1]), path="src/bird.py")).hits
    return next(hit for hit in hits if hit.symbol == "wading_heron")


def line_of(file: Path, text: str) -> int:
    return next(at for at, line in enumerate(file.read_text().split("\n"), 1) if text in line)


def test_a_moved_chunk_is_where_it_is_now_and_fresh(engine: Engine, bird: Path) -> None:
    bird.write_text("import os\n\n" * 20 + OTHERS + HERON)
    hit = heron(engine, bird)
    first = line_of(bird, "def wading_heron")
    assert (hit.start_line, hit.end_line, hit.focus[0], hit.fresh) == (first, first + 5, first, True)


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ("def wading_heron(pond, patience):", "def standing_heron(pond, patience, wind):", 6),
        ("    fish = sorted(pond.fish)\n", "    fish = sorted(pond.fish)\n    fish.reverse()\n    log(fish)\n", 8),
        ("    if depth > patience:\n        raise TooDeep(pond)\n", "", 4),
        ("    return fish[0] if fish else None\n", "    return next(iter(fish), None)\n", 6),
    ],
    ids=["first line", "lines put in", "lines taken out", "last line"],
)
@pytest.mark.parametrize("above", [OTHERS, "import os\n\n" * 9 + OTHERS, OTHERS[:400]])
def test_a_chunk_that_moved_and_changed_is_where_most_of_it_is(
    engine: Engine, bird: Path, above: str, before: str, after: str, lines: int
) -> None:
    changed = HERON.replace(before, after)
    assert changed != HERON
    bird.write_text(above + changed + "\n\n" + OTHERS.replace("other_", "more_"))
    hit = heron(engine, bird)
    first = line_of(bird, "_heron(")
    assert (hit.start_line, hit.end_line, hit.fresh) == (first, first + lines - 1, False)
    assert hit.text.split("\n") == bird.read_text().split("\n")[first - 1 : first + lines - 1]
    assert hit.start_line <= hit.focus[0] <= hit.focus[1] <= hit.end_line


def test_the_focus_is_in_the_text_as_it_is_now(engine: Engine, bird: Path) -> None:
    bird.write_text("import os\n" * 30 + OTHERS + HERON.replace("sorted(", "tuple("))
    hit = heron(engine, bird, "toodeep")
    assert hit.focus[0] == line_of(bird, "raise TooDeep")


def test_without_a_line_left_the_name_says_where_it_is(engine: Engine, bird: Path) -> None:
    bird.write_text("import os\n" * 30 + OTHERS + "def wading_heron(lake):\n    return lake.bird\n")
    hit = heron(engine, bird)
    first = line_of(bird, "def wading_heron")
    assert (hit.start_line, hit.fresh) == (first, False)


def test_nothing_left_of_it_names_no_line_that_is_not_there(engine: Engine, bird: Path) -> None:
    bird.write_text("x = 1\n")
    hit = heron(engine, bird)
    assert (hit.start_line, hit.end_line, hit.fresh, hit.text) == (1, 1, False, "x = 1")
