"""How well it ranks, on the development sets: ``make quality TREES=dir``. See README.md in this folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from auto_context.config import Settings
from auto_context.engine import Engine
from auto_context.rank import STEPS
from questions import development_trees
from runs import HEADLINES, PROJECT, Row, compare, headline, index, load, print_report, run, save

LEGS = ("lexical", "path", "static", "vector")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trees", type=Path, nargs="?", help="folder of work trees: SET/REPOSITORY/")
    parser.add_argument("--queries", type=Path, default=PROJECT / "../shared/quality", help="repos.json and the sets")
    parser.add_argument("--data", type=Path, default=PROJECT / ".cache/quality", help="where the indexes are kept")
    parser.add_argument("--off", default="", help="legs and steps to leave out, with commas")
    parser.add_argument("--ablate", action="store_true", help="also leave out, and keep alone, every leg and step")
    parser.add_argument("--compare", type=Path, nargs="+", metavar="RUN", help="one: this run against it; two: those")
    parser.add_argument("--no-save", action="store_true", help="write no file")
    options = parser.parse_args()
    if options.compare and len(options.compare) == 2:
        compare(load(options.compare[0]), load(options.compare[1]))
        return
    if options.trees is None:
        parser.error("give the folder of the work trees: make quality TREES=dir")
    trees = development_trees(options.trees, options.queries.resolve())
    settings = Settings()
    engine = Engine(options.data, settings)
    try:
        index(engine, trees)
        off = tuple(name for name in options.off.split(",") if name)
        rows = run(engine, trees, off)
        print_report(rows)
        if options.compare:
            print()
            compare(rows, load(options.compare[0]))
        extra: dict[str, Any] = {"off": list(off)}
        if options.ablate:
            extra["ablations"] = ablations(engine, trees, rows)
        if not options.no_save:
            print(f"\nwritten: {save(rows, settings, 'development', extra).relative_to(PROJECT)}")
    finally:
        engine.close()


def ablations(engine: Engine, trees: list[Any], rows: list[Row]) -> dict[str, dict[str, float]]:
    """NDCG@10 with one part left out, and with one leg or step alone."""
    every = (*LEGS, *STEPS, "diversity")
    plans = {"all": (), "no steps": (*STEPS, "diversity")}
    plans |= {f"without {name}": (name,) for name in every}
    plans |= {f"{leg} alone": tuple(other for other in LEGS if other != leg) for leg in LEGS}
    plans |= {f"{leg} alone, no steps": (*(other for other in every if other != leg),) for leg in LEGS}
    plans |= {f"only step {step}": tuple(name for name in every[len(LEGS) :] if name != step) for step in STEPS}
    keys = [(name, mode) for name, modes in HEADLINES.items() for mode in modes]
    table = {}
    print("\n| | " + " | ".join(f"{name} {mode}" for name, mode in keys) + " |\n|---|" + "---|" * len(keys))
    for title, off in plans.items():
        got = rows if not off else run(engine, trees, off)
        table[title] = {f"{name} {mode}": round(headline(got, name, mode), 4) for name, mode in keys}
        print(f"| {title} | " + " | ".join(f"{value:.3f}" for value in table[title].values()) + " |", flush=True)
    return table


if __name__ == "__main__":
    main()
