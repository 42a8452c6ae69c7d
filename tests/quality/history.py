"""How well it ranks on a repository's own history: ``make quality-history REPO=path``. See README.md in this folder."""

from __future__ import annotations

import argparse
import difflib
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from auto_context.config import Settings
from auto_context.engine import Engine
from auto_context.rank import demotion
from auto_context.source import language_of
from metrics import Target
from questions import Question, Tree
from runs import PROJECT, index, print_report, run, save

_NOISE = re.compile(
    r"\b(bump|release|version|merge|revert|typo|changelog|lint|format|ci|wip|upgrade|dependabot)\b", re.IGNORECASE
)
_PREFIX = re.compile(r"^(\w+(\([^)]*\))?!?:|\[[^\]]*\])\s*")
_REFERENCE = re.compile(r"\s*\(?#\d+\)?|\s*\(cherry picked.*")
_FEWEST_WORDS, _MOST_FILES = 4, 3
_HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+", re.MULTILINE)


def git(repo: Path, *arguments: str) -> str:
    """What git prints."""
    done = subprocess.run(["git", "-C", str(repo), *arguments], capture_output=True, check=True)
    return done.stdout.decode("utf-8", "replace")


def cleaned(subject: str) -> str:
    """A subject as a question: without its prefix and its number; "" when it says nothing of the code."""
    text = _REFERENCE.sub("", _PREFIX.sub("", subject)).strip()
    return "" if _NOISE.search(subject) or len(text.split()) < _FEWEST_WORDS else text


def is_source(path: str) -> bool:
    """Code that answers: no test, no documentation, no data."""
    return bool(language_of(path)) and demotion(path) == 1.0


def changed_lines(repo: Path, commit: str, path: str) -> list[tuple[int, int]]:
    """The lines of the parent's file that a commit changes; of a pure addition the line it follows."""
    diff = git(repo, "diff", "--unified=0", "--no-renames", f"{commit}^", commit, "--", path)
    spans = []
    for found in _HUNK.finditer(diff):
        first, count = int(found[1]), int(found[2] if found[2] is not None else 1)
        spans.append((max(1, first), max(1, first + max(1, count) - 1)))
    return spans


def mapped(spans: list[tuple[int, int]], parent: str, base: str) -> list[tuple[int, int]]:
    """Line spans of one text as lines of an older one, as far as those lines were there already."""
    if parent == base:
        return spans
    places: dict[int, int] = {}
    matcher = difflib.SequenceMatcher(None, parent.split("\n"), base.split("\n"), autojunk=False)
    for block in matcher.get_matching_blocks():
        places.update((block.a + at + 1, block.b + at + 1) for at in range(block.size))
    out = []
    for first, last in spans:
        known = [places[line] for line in range(first, last + 1) if line in places]
        if known:
            out.append((min(known), max(known)))
    return out


def questions_of(repo: Path, base: str, head: str, most: int) -> Iterator[Question]:
    """Questions from the commits after ``base``, oldest first."""
    listed = set(git(repo, "ls-tree", "-r", "-z", "--name-only", base).split("\0"))
    given = 0
    for line in git(repo, "log", "--reverse", "--no-merges", "--format=%H%x09%s", f"{base}..{head}").splitlines():
        commit, _, subject = line.partition("\t")
        text = cleaned(subject)
        paths = [
            p for p in git(repo, "diff", "--name-only", "-z", "--no-renames", f"{commit}^", commit).split("\0") if p
        ]
        sources = [path for path in paths if is_source(path)]
        if not text or not 0 < len(sources) <= _MOST_FILES or not set(sources) <= listed:
            continue
        targets = [
            Target(path, span)
            for path in sources
            for span in mapped(
                changed_lines(repo, commit, path),
                git(repo, "show", f"{commit}^:{path}"),
                git(repo, "show", f"{base}:{path}"),
            )
        ]
        if targets:
            language = language_of(targets[0].path)
            yield Question(commit[:10], text, tuple(targets), repo.name, language, "commit")
            given += 1
            if given >= most:
                return


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repo", type=Path, help="a git repository with some history")
    parser.add_argument("--commits", type=int, default=60, help="how many questions at most")
    parser.add_argument("--back", type=int, default=300, help="how many commits before HEAD the indexed tree lies")
    parser.add_argument("--data", type=Path, default=PROJECT / ".cache/quality", help="where the index is kept")
    parser.add_argument("--no-save", action="store_true", help="write no file")
    options = parser.parse_args()
    repo = Path(git(options.repo.resolve(), "rev-parse", "--git-dir").strip())
    repo = (options.repo / repo).resolve()
    commits = git(repo, "rev-list", "--first-parent", f"--max-count={options.back + 1}", "HEAD").split()
    base, head = commits[-1], commits[0]
    asked = tuple(questions_of(repo, base, head, options.commits))
    if not asked:
        raise SystemExit(f"history: no commit after {base[:10]} makes a question: take more with --back")
    print(
        f"{len(asked)} questions from {base[:10]}..{head[:10]} of {options.repo.name}, asked of the tree of {base[:10]}"
    )
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "-C", str(repo), "archive", base], capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        settings = Settings()
        engine = Engine(options.data, settings)
        try:
            tree = Tree("history", options.repo.name, Path(folder).resolve(), "", asked)
            index(engine, [tree])
            rows = run(engine, [tree])
        finally:
            engine.close()
    print_report(rows)
    if not options.no_save:
        file = save(rows, settings, f"history-{options.repo.name}", {"base": base, "head": head})
        print(f"\nwritten: {file.relative_to(PROJECT)}")


if __name__ == "__main__":
    main()
