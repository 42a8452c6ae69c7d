"""``similar``, ``context`` and ``--explain`` in a shell."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-m", "auto_context"]


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=120, **options)


def test_explain_says_how_each_hit_came_to_its_place(shop: Path) -> None:
    done = run("search", "RetryPolicy", "--root", str(shop), "--explain")
    assert done.returncode == 0
    assert re.search(
        r"^    symbol: lexical #1 \([\d.]+\).* = [\d.]+; .*definition x[\d.]+.* = [\d.]+$", done.stdout, re.MULTILINE
    )


def test_a_hit_says_when_its_file_was_committed(shop: Path) -> None:
    assert re.search(
        r"^src/uploads\.py:\S+  RetryPolicy  .*  \d{4}-\d\d-\d\d$",
        run("search", "RetryPolicy", "--root", str(shop)).stdout,
        re.MULTILINE,
    )


def test_files_first(shop: Path) -> None:
    reply = json.loads(run("search", "basket", "--root", str(shop), "--per-file", "1", "--json").stdout)
    first = [hit["path"] for hit in reply["hits"][:4]]
    assert len(set(first)) == len(first)


def test_operators_work_here_too(shop: Path) -> None:
    reply = json.loads(run("search", "count lang:go", "--root", str(shop), "--json").stdout)
    assert {hit["language"] for hit in reply["hits"]} == {"go"}


def test_similar_from_anywhere_in_the_repository(shop: Path) -> None:
    done = run("similar", "basket.py:12", cwd=shop / "src")
    assert done.returncode == 0, done.stderr
    assert "web/cart.ts:" in done.stdout
    reply = json.loads(run("similar", str(shop / "src/uploads.py"), "--json", "--limit", "2").stdout)
    assert list(reply) == [
        "root", "branch", "path", "start_line", "end_line", "took_ms", "legs", "hits", "copies",
    ]  # fmt: skip
    assert (reply["path"], reply["start_line"], len(reply["hits"])) == ("src/uploads.py", 1, 2)


def test_context_as_markdown_and_as_json(shop: Path) -> None:
    done = run("context", f"{shop}/tests/test_uploads.py:5", "--budget", "600")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("### tests/test_uploads.py:4-5 `test_delays_grow` (here)\n\n```python\n")
    assert "(defines RetryPolicy)" in done.stdout
    assert re.search(r"^\d+ snippets, \d+ of 600 tokens$", done.stderr, re.MULTILINE)
    reply = json.loads(run("context", f"{shop}/tests/test_uploads.py:5:20", "--json").stdout)
    assert list(reply) == ["root", "branch", "path", "line", "budget", "tokens", "exact", "took_ms", "items"]
    assert reply["items"][1]["reason"] == "defines RetryPolicy"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("similar", "absent.py:3"), "path_missing"),
        (("context", "src/basket.py"), "bad_request"),
        (("context", "absent.py:1"), "path_missing"),
        (("similar", ":3"), "bad_request"),
    ],
)
def test_what_is_no_place_is_an_error_with_a_code(shop: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run(*arguments, cwd=shop)
    assert done.returncode == 2
    assert f"({said})" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_place_in_a_folder_without_an_index_gets_one(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def first(text):\n    return text\n")
    done = run("context", str(tmp_path / "a.py") + ":1")
    assert done.returncode == 0, done.stderr
    assert "is not indexed yet" in done.stderr
    assert "def first" in done.stdout
