"""How the picker looks: every layout and every state, as text one can read in ``screens/``.

``--update-golden`` writes what is seen now. Both versions of Neovim draw the same; the lines below the windows, which
differ, are left out.
"""

from pathlib import Path
from typing import Any

import pytest

from canned import answer_with, change, found, hit, status
from driving import pane, wait_closed
from harness import Child, StartNeovim
from sharing import shared_sandbox
from support import make_shop

SCREENS = Path(__file__).parent / "screens"
sandbox = shared_sandbox()

HITS = [
    hit("src/uploads.py", 6, "RetryPolicy"),
    hit("src/uploads.py", 21, "upload_picture", legs=["vector"]),
    hit("packages/warehouse/internal/transport/retry_queue.go", 40, "Queue.Retry", legs=["path", "lexical"]),
    hit("src/mail.py", 6, "order_confirmation", fresh=False),
    hit("src/basket.py", 8, "Basket", unsaved=True),
]
ERROR = {"code": "service_failed", "message": "the service does not start", "hint": "see :checkhealth auto_context"}
LEG_DOWN = {"lexical": "ok", "path": "ok", "static": "ok", "vector": "down"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_shop(tmp_path_factory.mktemp("screens") / "shop")


@pytest.fixture
def compare(request: pytest.FixtureRequest) -> Any:
    """Compare a screen with the kept one, when it has come to rest."""
    update = request.config.getoption("--update-golden")

    def check(child: Child, name: str, ready: str) -> None:
        child.wait_for(lambda: ready in child.text(), what=f"{name}: {ready}")
        path = SCREENS / f"{name}.txt"

        def seen() -> str:
            return "\n".join(child.lines()[:-2]) + "\n"

        if update:
            SCREENS.mkdir(exist_ok=True)
            path.write_text(seen(), "utf-8")
        kept = path.read_text("utf-8")
        try:
            child.wait_for(lambda: seen() == kept, timeout_s=5)
        except AssertionError:
            assert seen() == kept, name

    return check


def close(child: Child) -> None:
    child.keys("<C-c>")
    wait_closed(child)


def open_with(child: Child, query: str) -> None:
    child.keys(":AutoContext<CR>")
    child.wait_for(lambda: pane(child, "prompt"))
    child.wait_for(lambda: child.request("nvim_get_mode")["mode"] == "i")
    child.keys(query)


def test_layouts(start_nvim: StartNeovim, shop: Path, compare: Any) -> None:
    child = start_nvim(cwd=shop, width=120, height=28)
    answer_with(child, status=status(), search=found(*HITS))
    open_with(child, "retry upload")
    compare(child, "wide", "class RetryPolicy")
    child.keys("<C-g>w<C-g>w")
    compare(child, "tall", "class RetryPolicy")
    child.keys("<C-g>p")
    compare(child, "preview-off", "src/uploads.py:6")
    child.keys("<C-g>p")
    child.wait_for(lambda: pane(child, "preview"))
    child.resize(58, 22)
    child.wait_for(lambda: pane(child, "preview") is None)
    compare(child, "small", "src/uploads.py:6")
    child.resize(20, 6)
    compare(child, "tiny", "retry upload")
    assert child.lua("return vim.v.errmsg") == ""


def test_states(start_nvim: StartNeovim, shop: Path, compare: Any) -> None:
    child = start_nvim(cwd=shop, width=140, height=26, files=("src/mail.py",))
    answer_with(child, status=status(), nearby={"error": ERROR})
    open_with(child, "")
    compare(child, "empty", "Type what it does")
    child.keys("retry upload")
    compare(child, "loading", "searching")
    change(child, "search", found())
    child.keys("<Space>")
    compare(child, "nothing", "nothing found")
    change(child, "search", found(*HITS))
    child.keys("<BS>")
    child.wait_for(lambda: "RetryPolicy" in child.text())
    child.keys("<Tab><Down><Tab><C-g>f<C-g>t")
    child.wait_for(lambda: "without tests" in child.text())
    child.keys("<Home><Down>")
    compare(child, "marked-and-filtered", "2 marked")
    child.keys("<End><Down><Down>")
    compare(child, "stale", "changed since")
    change(child, "search", found(*HITS[:1], legs=LEG_DOWN))
    child.keys("<C-g>xx")
    compare(child, "leg-missing", "meaning: coarse")
    change(child, "search", {"error": ERROR})
    child.keys("y")
    compare(child, "error", "does not start")
    child.keys("<F1>")
    compare(child, "help", "open; with several")
    child.keys("x")
    child.wait_for(lambda: "open; with several" not in child.text())
    assert pane(child, "prompt") == {"lines": ["retry uploadxy"], "row": 1}
    close(child)


def test_no_git(start_nvim: StartNeovim, tmp_path: Path, compare: Any) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "a.py").write_text("def retry():\n    pass\n")
    child = start_nvim(cwd=folder, width=100, height=26)
    known = status()
    del known["reply"]["repository"]["branch"]
    answer_with(child, status=known, search=found(hit("a.py", 1, "retry", legs=["lexical"]), branch=""))
    open_with(child, "retry")
    compare(child, "no-git", "a.py:1")
