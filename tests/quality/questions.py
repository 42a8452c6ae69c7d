"""Sets of questions about trees: what is asked, where the answers are, and where the files lie."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from metrics import Target


@dataclass(frozen=True, slots=True)
class Question:
    """One query with its answers."""

    id: str
    text: str
    targets: tuple[Target, ...]
    repo: str
    language: str
    category: str


@dataclass(frozen=True, slots=True)
class Tree:
    """A folder to index. ``prefix`` is put before its paths to compare them with the targets'."""

    set: str
    repo: str
    folder: Path
    prefix: str
    questions: tuple[Question, ...]


def development_trees(trees: Path, queries: Path) -> list[Tree]:
    """The development sets: ``queries/repos.json``, one ``.jsonl`` per set, and work trees under ``trees/set/repo``.

    Raises:
        SystemExit: naming the first tree that is missing.
    """
    found = []
    for entry in json.loads((queries / "repos.json").read_text("utf-8")):
        top = trees / entry["set"] / entry["repo"]
        if not top.is_dir():
            raise SystemExit(f"quality: {top} is missing: a work tree of {entry['source']} at {entry['commit']}")
        prefix = "" if entry["root"] == "." else entry["root"] + "/"
        asked = [question for question in _read(queries / f"{entry['set']}.jsonl") if question.repo == entry["repo"]]
        found.append(Tree(entry["set"], entry["repo"], (top / entry["root"]).resolve(), prefix, tuple(asked)))
    return found


def _read(file: Path) -> list[Question]:
    questions = []
    for line in file.read_text("utf-8").splitlines():
        row = json.loads(line)
        targets = tuple(
            Target(item["path"], (item["start_line"], item["end_line"]) if "start_line" in item else None)
            for item in row["targets"]
        )
        questions.append(
            Question(
                row["query_id"], row["query"], targets, row["repo"], row["language"], row.get("category", "commit")
            )
        )
    return questions
