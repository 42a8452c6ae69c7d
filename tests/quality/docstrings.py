"""Functions found by their own docstrings, which the indexed files no longer have: ``make quality-docstrings``.

The one question where static models fail and a transformer does not: whether fusing words with it does harm.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import importlib.util
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from auto_context.config import Settings
from auto_context.engine import Engine
from auto_context.rank import STEPS
from metrics import Target
from questions import Question, Tree
from runs import PROJECT, compare, headline, index, print_report, run, save

PACKAGES = ("jinja2", "fsspec", "huggingface_hub")
_FEWEST_WORDS, _MOST = 5, 100
Function = ast.FunctionDef | ast.AsyncFunctionDef
_VECTOR_ALONE = ("lexical", "path", "diversity", *STEPS)


def functions(tree: ast.AST, above: str = "") -> Iterator[tuple[str, Function]]:
    """Every function with its qualified name."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function):
            yield f"{above}{node.name}", node
        if isinstance(node, Function | ast.ClassDef):
            yield from functions(node, f"{above}{node.name}.")
        elif not isinstance(node, ast.expr):
            yield from functions(node, above)


def stripped(source: str) -> tuple[str, dict[str, str]]:
    """A module without the docstrings of its functions, and the first sentence of each by qualified name."""
    lines: list[str | None] = list(source.split("\n"))
    said: dict[str, str] = {}
    for name, node in functions(ast.parse(source)):
        text = ast.get_docstring(node)
        if not text:
            continue
        said.setdefault(name, re.split(r"(?<=\.)\s|\n\n", text.strip())[0].replace("\n", " "))
        first = node.body[0]
        for at in range(first.lineno - 1, first.end_lineno or first.lineno):
            lines[at] = None
        if len(node.body) == 1:
            lines[first.lineno - 1] = " " * first.col_offset + "pass"
    return "\n".join(line for line in lines if line is not None), said


def build(package: str, folder: Path) -> Tree:
    """A package's modules without docstrings, and the questions those were."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"docstrings: the environment has no package {package}")
    origin, target = Path(spec.submodule_search_locations[0]), folder / package
    questions = []
    for file in sorted(origin.rglob("*.py")):
        relative = file.relative_to(origin)
        if "tests" in relative.parts:
            continue
        try:
            text, said = stripped(file.read_text("utf-8"))
            parsed = ast.parse(text)
        except (SyntaxError, UnicodeDecodeError):
            continue
        (target / relative).parent.mkdir(parents=True, exist_ok=True)
        (target / relative).write_text(text, "utf-8")
        for name, node in functions(parsed):
            if name in said and len(said[name].split()) >= _FEWEST_WORDS:
                where = Target(relative.as_posix(), (node.lineno, node.end_lineno or node.lineno))
                questions.append(
                    Question(f"{relative.as_posix()}:{name}", said[name], (where,), package, "python", "docstring")
                )
    distinct = {question.text: question for question in questions}
    chosen = sorted(distinct.values(), key=lambda q: hashlib.blake2b(q.id.encode()).digest())[:_MOST]
    return Tree("docstrings", package, target.resolve(), "", tuple(chosen))


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", nargs="*", default=PACKAGES, help=f"default: {' '.join(PACKAGES)}")
    parser.add_argument("--data", type=Path, default=PROJECT / ".cache/quality", help="where the indexes are kept")
    parser.add_argument("--no-save", action="store_true", help="write no file")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    settings = Settings()
    engine = Engine(options.data, settings)
    try:
        trees = [build(package, folder) for package in options.packages]
        index(engine, trees)
        rows = run(engine, trees)
        alone = run(engine, trees, _VECTOR_ALONE)
    finally:
        engine.close()
        shutil.rmtree(folder)
    print_report(rows)
    print(f"\nvector leg alone: chunk NDCG@10 {headline(alone, 'docstrings', 'chunk'):.3f}; everything against it:")
    compare(rows, alone)
    if not options.no_save:
        extra = {"vector_alone": round(headline(alone, "docstrings", "chunk"), 4), "packages": list(options.packages)}
        print(f"\nwritten: {save(rows, settings, 'docstrings', extra).relative_to(PROJECT)}")


if __name__ == "__main__":
    main()
