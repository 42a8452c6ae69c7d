"""The main job, seen: index a repository, then search it from a real Neovim and show each screen.

``demo.py --nvim BINARY [--pictures FOLDER] FOLDER``, run by the environment's Python. On a terminal it ends as Neovim
with the picker open; otherwise it exits 0. The index lies in the person's own data folder: a second run embeds nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "tests/nvim"))

from harness import Child  # noqa: E402 - the path above is what finds it
from picture import svg  # noqa: E402

WIDTH, HEIGHT = 120, 32
SETTLE_LIMIT_S = 120.0  # a model is loaded meanwhile
SETTLED_S = 1.0
UNSETTLED = (": loading", "· indexing", "· starting", "searching")
ROW = re.compile(r"\S:\d+\b")
LIST = """
    for _, win in ipairs(vim.api.nvim_list_wins()) do
      local buffer = vim.api.nvim_win_get_buf(win)
      if vim.bo[buffer].filetype == 'auto_context_list' then
        return vim.api.nvim_buf_get_lines(buffer, 0, -1, true)
      end
    end
"""
OWN = ("where do the windows go on a small screen", "ServiceClient", "service/jobs.py")
PLACE = ("python/auto_context/service/supervisor.py", "def submit")
SENTENCE = "where is the configuration read"
NAMED = ("function", "method", "class")
CLI = (sys.executable, "-m", "auto_context")


def main() -> int:
    """Run the demo; a fault is one line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--nvim", required=True)
    parser.add_argument("--pictures", type=Path, help="draw the picker, a context and the status there")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    folder = options.folder.resolve()
    print(f"demo: indexing {folder}", flush=True)
    if status := subprocess.run([*CLI, "index", str(folder)], stdin=subprocess.DEVNULL, check=False).returncode:
        return status
    try:
        with Child(options.nvim, cwd=folder, width=WIDTH, height=HEIGHT) as child:
            for kind, query in queries(folder):
                show(child, kind, query)
                if options.pictures and kind == "a sentence":
                    (options.pictures / "picker.svg").write_text(svg(child.screen))
                child.keys("<Esc>")
                child.wait_for(lambda: child.lua(LIST) is None, what="the picker's end")
            if options.pictures:
                draw(child, options.pictures)
    except AssertionError as failure:
        print(f"demo: the picker did not answer: {failure}", file=sys.stderr)
        return 1
    except (OSError, EOFError) as failure:
        print(f"demo: Neovim ended early: {failure}", file=sys.stderr)
        return 1
    if sys.stdin.isatty() and sys.stdout.isatty():
        stay(options.nvim, folder)
    return 0


def show(child: Child, kind: str, query: str) -> None:
    """Open the picker, type ``query`` and print the screen once nothing on it moves any more."""
    child.keys(":AutoContext<CR>")
    child.wait_for(lambda: child.lua(LIST) and child.mode == "i", what="the picker's prompt")
    child.keys(query.replace("<", "<lt>"))
    typed = time.monotonic()
    seen: tuple[float, str] = (typed, "")

    def settled() -> bool:
        nonlocal seen
        text, now = child.text(), time.monotonic()
        if text != seen[1]:
            seen = (now, text)
        # The upper border says what still goes on.
        moving = any(word in text for word in UNSETTLED)
        return not moving and now - seen[0] > SETTLED_S and any(ROW.search(line) for line in child.lua(LIST) or ())

    child.wait_for(settled, timeout_s=SETTLE_LIMIT_S, what=f"rows for {query!r}")
    print(f"\ndemo: {kind}: {query}   ({seen[0] - typed:.1f} s)\n{child.frame()}", flush=True)


def draw(child: Child, folder: Path) -> None:
    """Draw the context of a place of this project, and the status window."""
    child.lua("vim.o.showtabline = 0; vim.o.laststatus = 2; vim.o.number = true")
    path, name = PLACE
    child.command(f"edit {path}")
    child.command(f"call search('{name}')")
    child.command("AutoContext context")
    child.wait_for(lambda: re.search(r"\d+ of [\d,]+ tokens", child.text()), timeout_s=SETTLE_LIMIT_S)
    settle(child)
    (folder / "context.svg").write_text(svg(child.screen))
    child.command("wincmd p | only! | enew | AutoContext status")
    child.wait_for(lambda: "tokens/s" in child.text() or "vectors" in child.text(), timeout_s=SETTLE_LIMIT_S)
    settle(child)
    hide(child, str(PROJECT))
    (folder / "status.svg").write_text(svg(child.screen))


def hide(child: Child, path: str) -> None:
    """Put another path in place of one of this machine's."""
    for row, text in zip(child.screen.cells, child.screen.lines(), strict=True):
        at = text.find(path)
        if at >= 0:
            other = "~/project".ljust(len(path))[: len(path)]
            row[at : at + len(path)] = [(new, look) for new, (_, look) in zip(other, row[at:], strict=False)]


def settle(child: Child) -> None:
    """Wait until nothing on the screen has moved for a second."""
    seen: tuple[float, str] = (time.monotonic(), "")

    def still() -> bool:
        nonlocal seen
        text, now = child.text(), time.monotonic()
        if text != seen[1]:
            seen = (now, text)
        return now - seen[0] > SETTLED_S

    child.wait_for(still, timeout_s=SETTLE_LIMIT_S, what="a screen at rest")


def queries(folder: Path) -> Iterator[tuple[str, str]]:
    """A sentence, a symbol and a file name that this repository can answer."""
    if folder == PROJECT:
        sentence, symbol, name = OWN
    else:
        sentence = SENTENCE
        hits = search(folder, sentence)
        symbols = [hit["symbol"] for hit in hits if hit["kind"] in NAMED and hit["symbol"]]
        symbol = re.split(r"[.:>#\s]+", symbols[0])[-1] if symbols else "main"
        # Not the file that the sentence found: its name would show nothing new.
        paths = [hit["path"] for hit in search(folder, symbol) + hits]
        name = "/".join(Path(next(iter(paths[1:] or paths), "README")).parts[-2:])
    yield "a sentence", sentence
    yield "a symbol", symbol
    yield "a file name", name


def search(folder: Path, query: str) -> list[dict[str, Any]]:
    """Hits by the command line; none when it fails, as the screens will say why."""
    command = [*CLI, "search", query, "--root", str(folder), "--limit", "20", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    try:
        hits: list[dict[str, Any]] = json.loads(done.stdout)["hits"]
    except (ValueError, KeyError):
        return []
    return hits


def stay(nvim: str, folder: Path) -> None:
    """Become the person's Neovim, with the picker open; their own configuration is not read."""
    path = str(PROJECT).replace("'", "''")
    opening = "autocmd VimEnter * ++once ++nested AutoContext"
    os.chdir(folder)
    os.environ["AUTO_CONTEXT_PYTHON"] = sys.executable
    sys.stdout.flush()
    os.execv(nvim, [nvim, "--clean", "--cmd", f"let &runtimepath = '{path}'.','.&runtimepath", "-c", opening])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
