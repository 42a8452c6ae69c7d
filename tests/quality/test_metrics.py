"""The scores, on rankings small enough to score by hand; and the questions that a history makes."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from docstrings import stripped
from history import cleaned, mapped, questions_of
from metrics import MODES, Item, Target, interval, measures
from support import git


def item(path: str, first: int, last: int, focus: tuple[int, int] | None = None) -> Item:
    return Item(path, (first, last), focus or (first, last))


ITEMS = [item("src/a.py", 1, 10), item("src/a.py", 11, 60, (11, 60)), item("b.py", 1, 5), item("c.py", 1, 9)]


def test_chunks_count_where_they_overlap() -> None:
    ranks = MODES["chunk"]
    assert ranks(ITEMS, [Target("a.py", (12, 12)), Target("b.py"), Target("d.py")]) == ([2, 3], 3)
    assert ranks(ITEMS, [Target("deep/src/a.py")]) == ([1], 1), "labels may begin further up"


def test_files_count_once() -> None:
    assert MODES["file"](ITEMS, [Target("b.py", (1, 1)), Target("b.py", (9, 9)), Target("c.py")]) == ([2, 3], 2)


def test_spans_see_the_first_25_lines_of_the_focus() -> None:
    ranks = MODES["span"]
    assert ranks(ITEMS, [Target("src/a.py", (35, 35))]) == ([2], 1)
    assert ranks(ITEMS, [Target("src/a.py", (36, 36))]) == ([], 1)
    assert ranks(ITEMS, [Target("src/a.py")]) == ([], 0)


def test_measures_by_hand() -> None:
    found = measures([2, 30], 3)
    ideal = 1 + 1 / math.log2(3) + 0.5
    assert found["ndcg10"] == pytest.approx(1 / math.log2(3) / ideal)
    assert found["mrr"] == 0.5
    assert (found["recall1"], found["recall5"], found["recall10"]) == (0.0, 1 / 3, 1 / 3)
    assert measures([], 2)["ndcg10"] == 0.0
    assert measures([1], 1)["ndcg10"] == 1.0


def test_an_interval_holds_the_mean_and_is_the_same_every_time() -> None:
    values = [0.0, 1.0, 1.0, 0.5] * 10
    mean, low, high = interval(values)
    assert mean == pytest.approx(0.625)
    assert low < mean < high
    assert interval(values) == (mean, low, high)
    assert interval([]) == (0.0, 0.0, 0.0)


def test_subjects_become_questions() -> None:
    assert cleaned("fix(cart): Add up the rows of a cart twice (#123)") == "Add up the rows of a cart twice"
    assert cleaned("Bump the version of the parser") == ""
    assert cleaned("Fix typo") == ""


def test_lines_are_mapped_to_the_older_text() -> None:
    base, parent = "a\nb\nc\nd", "new\na\nb\nc\nd"
    assert mapped([(3, 4)], parent, base) == [(2, 3)]
    assert mapped([(1, 1)], parent, base) == []


def test_a_history_makes_questions_about_the_tree_before_it(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "cart.py").write_text("def total(rows):\n    return sum(rows)\n")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "first")
    base = git(tmp_path, "rev-parse", "HEAD").strip()
    (tmp_path / "cart.py").write_text("# sums\ndef total(rows):\n    return sum(rows)\n")
    git(tmp_path, "commit", "-qam", "Say what the module is about")
    (tmp_path / "cart.py").write_text("# sums\ndef total(rows):\n    return sum(row.price for row in rows)\n")
    git(tmp_path, "commit", "-qam", "Rows of the cart have a price of their own (#7)")
    asked = list(questions_of(tmp_path, base, "HEAD", 10))
    assert [(q.text, q.targets) for q in asked] == [
        ("Say what the module is about", (Target("cart.py", (1, 1)),)),
        ("Rows of the cart have a price of their own", (Target("cart.py", (2, 2)),)),
    ]


def test_docstrings_leave_the_text_and_become_questions() -> None:
    text, said = stripped(
        'def f(a):\n    """Add one to it. Then stop."""\n    return a + 1\n\n\ndef g():\n    """Only says."""\n'
    )
    assert text == "def f(a):\n    return a + 1\n\n\ndef g():\n    pass\n"
    assert said == {"f": "Add one to it.", "g": "Only says."}


def test_a_folder_without_trees_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "repos.json").write_text('[{"set": "s", "repo": "r", "source": "o/r", "commit": "c", "root": "."}]')
    command = [sys.executable, str(Path(__file__).parent / "quality.py"), str(tmp_path), "--queries", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("quality: ")
    assert "Traceback" not in done.stderr
