"""How fast it is, against the bars it is meant to keep: ``make bench [REPO=path] [PEERS=1] [LARGE=1]``.

Everything runs on copies, with a service and a store of its own, so nothing of the user's is touched. Figures are of
this machine and this run: compare within one run. ``README.md`` says how each is measured.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import report
from report import PROJECT, Figure
from trees import name_of

# What the tests share: the sandbox, and the Neovim that is driven.
sys.path += [str(PROJECT / "tests"), str(PROJECT / "tests/nvim")]
import large
import peers
import quick


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", nargs="?", type=Path, default=PROJECT, help="the tree (default: this project)")
    parser.add_argument("--peers", action="store_true", help="other tools on the same tree, in turn with ours")
    parser.add_argument("--large", action="store_true", help="30,000 files, growth, 100k and 500k chunks")
    parser.add_argument("--only", action="append", choices=large.PARTS, help="with --large: only this part")
    options = parser.parse_args()
    tree = options.repository.resolve()
    if options.peers:
        show("peers", tree, [*peers.semble(tree), *peers.vectorcode(tree)])
    if options.large:
        for part in options.only or large.PARTS:
            show(f"large: {part}", tree, large.run((part,)))
    if not (options.peers or options.large):
        show(f"quick: {name_of(tree)}", tree, quick.run(tree))


def show(group: str, tree: Path, figures: list[Figure]) -> None:
    """Print a group's table and keep its figures."""
    print(f"\n== {group}\n{report.table(figures)}")
    load = [round(value, 2) for value in os.getloadavg()]
    file = report.save(figures, group, {"tree": name_of(tree), "load_average": load, "ended": time.strftime("%H:%M")})
    missed = [figure.name for figure in figures if figure.ok is False]
    print(f"\nkept in {file.relative_to(PROJECT)}; {len(missed)} of {len(figures)} figures miss their bar", flush=True)


if __name__ == "__main__":
    main()
