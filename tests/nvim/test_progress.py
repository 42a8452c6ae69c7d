"""A first index: what is said of it, what can be found while it goes on, and what is read first."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from driving import clean_log, index, open_picker, pane, rows, selected, wait_for_meaning
from harness import Child, StartNeovim
from support import make_shop

Values = dict[str, Any]

READING = {
    "phase": "chunk", "files_done": 1200, "files_total": 3072, "chunks_done": 0, "chunks_total": 20480,
    "percent": 4.2, "eta_s": 3.2, "tokens_per_s": 0,
}  # fmt: skip
EMBEDDING = READING | {
    "phase": "embed", "files_done": 3072, "chunks_done": 7567, "percent": 43.9, "eta_s": 252.0, "tokens_per_s": 9123,
}  # fmt: skip


@pytest.fixture
def child(start_nvim: StartNeovim, tmp_path: Path) -> Iterator[Child]:
    child = start_nvim(cwd=tmp_path)
    yield child
    clean_log(child)


@pytest.mark.parametrize(
    ("progress", "text", "brief"),
    [
        (READING | {"phase": "scan", "percent": 0.0}, "looking for files, 0 %, 4 s left", "indexing 0 %"),
        (READING, "reading 1,200 of 3,072 files, 20,480 chunks, 4 %, 4 s left", "indexing 4 %"),
        (
            READING | {"phase": "static", "files_total": 1, "chunks_total": 1, "eta_s": None},
            "1 file read, vectors of 1 chunk, 4 %", "indexing 4 %",
        ),
        (
            EMBEDDING,
            "3,072 files read, 7,567 of 20,480 chunks embedded, 43 %, 9,123 tokens/s, 4 min left",
            "indexing 43 %, 4 min left",
        ),
        (
            EMBEDDING | {"files_total": 0, "eta_s": 7000.0, "paused": ""},
            "7,567 of 20,480 chunks embedded, 43 %, 9,123 tokens/s, 1.9 h left", "indexing 43 %, 1.9 h left",
        ),
        (
            EMBEDDING | {"files_total": 0, "tokens_per_s": 0, "paused": "on battery"},
            "7,567 of 20,480 chunks embedded, 43 %, paused: on battery", "indexing paused: on battery",
        ),
    ],
)  # fmt: skip
def test_every_stage_has_its_words(child: Child, progress: Values, text: str, brief: str) -> None:
    given = {key: value for key, value in progress.items() if value is not None}  # as the remote plugin sends it
    assert child.lua("return require('auto_context.progress').text(...)", given) == text
    assert child.lua("return require('auto_context.progress').brief(...)", given) == brief


@pytest.mark.parametrize(
    ("coverage", "text"),
    [
        ({"static": 0.129, "vector": 0.0}, "meaning 12 %"),
        ({"static": 1.0, "vector": 0.379}, "meaning 37 % precise"),
        ({"static": 1.0, "vector": 0.9999}, "meaning 99 % precise"),
        ({"static": 1.0, "vector": 1.0}, "meaning 100 %"),
        ({"static": 0.0, "vector": 0.5}, "meaning 50 %"),
        ({"vector": 1.0}, "meaning 100 %"),
    ],
)
def test_how_much_is_found_by_meaning(child: Child, coverage: dict[str, float], text: str) -> None:
    assert child.lua("return require('auto_context.progress').meaning(...)", coverage) == text


@pytest.mark.parametrize(
    ("static", "vector", "state"),
    [
        ("ok", "ok", None), ("ok", "pending", None), ("ok", "loading", None), ("ok", "empty", None),
        ("partial", "loading", None), ("ok", "down", "coarse"), ("loading", "ok", None), ("loading", "partial", None),
        ("loading", "loading", "loading"), ("loading", "empty", "loading"), ("empty", "loading", "loading"),
        ("empty", "down", "down"), ("loading", "down", "loading"), ("off", "off", None),
    ],
)  # fmt: skip
def test_nothing_is_said_while_either_kind_of_vectors_answers(
    child: Child, static: str, vector: str, state: str | None
) -> None:
    legs = {"static": static, "vector": vector}
    assert child.lua("return require('auto_context.progress').meaning_state(...)", legs) == state


def test_a_hit_found_by_both_kinds_of_vectors_says_meaning_once(child: Child) -> None:
    hit = {
        "path": "a.py", "start_line": 1, "end_line": 1, "focus": [1, 1], "symbol": "", "kind": "function",
        "language": "python", "score": 1, "legs": ["lexical", "static", "vector"], "fresh": True, "text": "",
    }  # fmt: skip
    assert child.lua("return require('auto_context.hit').describe(...)", hit) == "function · name, meaning"
    assert child.lua("return require('auto_context.hit').letters(...)", hit) == "n-m"
    assert child.lua("return (require('auto_context.hit').row(...))", hit, 30).endswith(" nm")
    alone = hit | {"legs": ["static"]}
    assert child.lua("return (require('auto_context.hit').row(...))", alone, 80).endswith(" meaning")


def test_a_first_index_is_searched_and_refined_while_it_grows(start_nvim: StartNeovim, tmp_path: Path) -> None:
    folder = make_shop(tmp_path / "shop")
    for number in range(120):
        parts = (f"def step_{number}_{part}(value):\n    return value * {part}\n\n\n" for part in range(40))
        (folder / f"module_{number}.py").write_text("".join(parts))
    child = start_nvim(cwd=folder, width=120, height=30)
    child.lua("vim.api.nvim_create_autocmd('User', { pattern = 'AutoContextIndexed', command = 'let g:complete = 1' })")
    complete = "return vim.g.complete ~= nil"
    open_picker(child, "retry after a failed upload")

    def found_early() -> bool:
        assert not child.lua(complete), "nothing was found before the index was complete"
        return any(row.startswith("src/uploads.py:") for row in rows(child))

    child.wait_for(found_early, timeout_s=120)
    child.keys("<Down>")
    chosen = selected(child).split()[0]
    child.wait_for(lambda: "% precise · indexing" in child.text(), timeout_s=120)
    assert not child.lua(complete)
    child.wait_for(lambda: "meaning 100 %" in child.text(), timeout_s=180)
    child.wait_for(lambda: "indexing" not in child.text())
    last = "return _G.replies[#_G.replies].legs.vector"
    child.wait_for(lambda: child.lua(last) == "ok", timeout_s=60, what="an answer from the complete index")
    wait_for_meaning(child)
    assert child.lua("return _G.replies[1].legs.vector") != "ok"
    assert selected(child).split()[0] == chosen or chosen not in {row.split()[0] for row in rows(child)}
    clean_log(child)


def test_a_query_without_rows_says_how_far_the_index_is(start_nvim: StartNeovim, tmp_path: Path) -> None:
    folder = make_shop(tmp_path / "shop")
    child = start_nvim(cwd=folder, width=120, height=30)
    open_picker(child)
    child.wait_for(lambda: any(row.startswith("indexing: ") for row in rows(child)))
    assert rows(child)[0].startswith("Type what it does")
    # Then there are files to offer.
    child.wait_for(lambda: any(row.startswith("src/mail.py ") for row in rows(child)), timeout_s=60)
    assert not any(row.startswith("indexing: ") for row in rows(child))


def test_open_files_go_along_the_current_one_first(start_nvim: StartNeovim, tmp_path: Path) -> None:
    folder = make_shop(tmp_path / "shop")
    index(folder)
    (tmp_path / "outside.py").write_text("x = 1\n")
    child = start_nvim(cwd=folder, files=("src/mail.py", "src/stock.go"))
    child.command("edit src/basket.py")
    child.command("badd web/cart.ts")  # listed, but never looked at
    child.command(f"edit {tmp_path / 'outside.py'}")
    child.command("edit docs/guide.md | setlocal nobuflisted")
    child.command("edit README.md | setlocal buftype=nofile")
    child.command("edit src/stock.go")
    child.command("edit src/uploads.py")
    child.lua("""
        local rpc = require('auto_context.rpc')
        local request = rpc.request
        rpc.request = function(method, params, callback)
          if method == 'update' then
            _G.sent = params
          end
          return request(method, params, callback)
        end
    """)
    open_picker(child)  # its prompt is the current buffer then
    sent = child.wait_for(lambda: child.lua("return _G.sent"))
    opened = [str(Path(path).relative_to(folder)) for path in sent["open_paths"]]
    assert opened[0] == "src/uploads.py"
    assert sorted(opened) == ["src/basket.py", "src/mail.py", "src/stock.go", "src/uploads.py"]
    assert pane(child, "prompt")
