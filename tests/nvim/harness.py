"""A child Neovim with a screen: the real program, driven through pynvim, its redraw events folded into a grid.

    with Child(binary, cwd=repository) as child:
        child.keys(":AutoContext<CR>")
        child.wait_for(lambda: "uploads.py:12" in child.text())

No part of it sleeps for luck: every wait is for a condition, with a deadline that shows the screen when it passes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import pynvim

REPOSITORY = Path(__file__).resolve().parents[2]
REQUEST_LIMIT_S = 60.0
POLL_S = 0.01
GONE = (OSError, EOFError, pynvim.NvimError)  # what pynvim raises when the child ended meanwhile
CHANGE_FOLDER = ("sh", "-c", 'cd "$1" && shift && exec "$@"', "sh")
UNWANTED = ("NVIM", "NVIM_LISTEN_ADDRESS", "VIMRUNTIME", "VIM", "VIMINIT", "NVIM_APPNAME", "NVIM_PYTHON_LOG_FILE")


class Screen:
    """The text and highlight ids of one grid, kept current by ``apply``."""

    def __init__(self, width: int, height: int) -> None:
        self.cursor = (0, 0)
        self.default_colors: dict[str, int] = {}
        self.highlights: dict[int, dict[str, Any]] = {}
        self._resize(width, height)

    def _resize(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.cells: list[list[tuple[str, int]]] = [[(" ", 0)] * width for _ in range(height)]

    def lines(self) -> list[str]:
        """The rows as text, right-trimmed; a wide character fills two cells and is one character here."""
        return ["".join(text for text, _ in row).rstrip() for row in self.cells]

    def apply(self, event: str, arguments: list[Any]) -> None:
        """Fold one redraw event in; events of no interest are ignored."""
        match event:
            case "grid_resize":
                self._resize(arguments[1], arguments[2])
            case "grid_clear":
                self._resize(self.width, self.height)
            case "grid_line":
                self._line(*arguments[1:4])
            case "grid_scroll":
                self._scroll(*arguments[1:6])
            case "grid_cursor_goto":
                self.cursor = (arguments[1], arguments[2])
            case "hl_attr_define":
                self.highlights[arguments[0]] = arguments[1]
            case "default_colors_set":
                self.default_colors = {"foreground": arguments[0], "background": arguments[1]}

    def _line(self, row: int, column: int, cells: list[list[Any]]) -> None:
        highlight = 0
        for cell in cells:
            highlight = cell[1] if len(cell) > 1 else highlight  # a cell without an id repeats the last one
            for _ in range(cell[2] if len(cell) > 2 else 1):  # the third field: repeats
                self.cells[row][column] = (cell[0], highlight)
                column += 1

    def _scroll(self, top: int, bottom: int, left: int, right: int, rows: int) -> None:
        order = range(top, bottom - rows) if rows > 0 else range(bottom - 1, top - rows - 1, -1)
        for row in order:
            self.cells[row][left:right] = self.cells[row + rows][left:right]


@contextlib.contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    """The environment a child inherits: pynvim offers no other way to give it one."""
    before = dict(os.environ)
    try:
        for name in UNWANTED:
            os.environ.pop(name, None)
        os.environ.update(changes)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class Child:
    """One embedded Neovim with the plugin on its runtime path and a screen attached.

    Args:
        binary: the Neovim to run.
        cwd: its working folder.
        width: columns of the screen.
        height: rows of the screen.
        files: files to open, as arguments.
        commands: Ex commands run before plugins are loaded (``--cmd``).
        env: environment variables on top of this process's.
        plugin: whether the project is on 'runtimepath'.
        enter: whether to wait until it has entered, which a plugin manager may hold up.
        clean: ``--clean``; else the user's own configuration is read (from ``$XDG_CONFIG_HOME``).
    """

    def __init__(
        self,
        binary: Path | str,
        *,
        cwd: Path | str,
        width: int = 100,
        height: int = 30,
        files: tuple[str, ...] = (),
        commands: tuple[str, ...] = (),
        env: Mapping[str, str] | None = None,
        plugin: bool = True,
        clean: bool = True,
        enter: bool = True,
    ) -> None:
        self.screen = Screen(width, height)
        self.notifications: list[tuple[str, list[Any]]] = []
        self.mode, self.blocked = "n", False
        self._closed = False
        before = ["set shortmess+=I notermguicolors noswapfile", *commands]
        if plugin:
            # Not `:set`, which would need every space and comma of the path escaped.
            path = str(REPOSITORY).replace("'", "''")
            before.insert(0, f"let &runtimepath = '{path}'.','.&runtimepath")
        argv = [str(binary), "--embed", "-n", "-i", "NONE", *(["--clean"] if clean else [])]
        for command in before:
            argv += ["--cmd", command]
        with _environment({"AUTO_CONTEXT_PYTHON": sys.executable, **(env or {})}):
            self.nvim = pynvim.attach("child", argv=[*CHANGE_FOLDER, str(cwd), *argv, *files])
        # Neovim waits for this before it reads its start-up files, as it waits for a terminal.
        self._ask(REQUEST_LIMIT_S, "nvim_ui_attach", width, height, {"rgb": True, "ext_linegrid": True})
        self.pid: int = self.request("nvim_eval", "getpid()")
        if enter:
            self.wait_for(lambda: self.request("nvim_eval", "v:vim_did_enter") == 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- talking ------------------------------------------------------------

    def _ask(self, limit_s: float, method: str, *arguments: Any) -> Any:
        """One RPC request; a Neovim that does not answer in time is killed, so that a test ends."""
        watchdog = threading.Timer(limit_s, self._kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            return self.nvim.request(method, *arguments)
        finally:
            watchdog.cancel()
            self._fold()

    def _fold(self) -> None:
        # pynvim has no public way to take what already arrived without blocking for more.
        pending = self.nvim._session._pending_messages
        while pending:
            kind, name, arguments, *_ = pending.popleft()
            if kind != "notification":
                continue
            if name != "redraw":
                self.notifications.append((name, arguments))
                continue
            for event, *calls in arguments:
                for call in calls:
                    self.screen.apply(event, call)

    def pump(self) -> None:
        """Take in what Neovim drew; works while it waits for a key."""
        state = self._ask(REQUEST_LIMIT_S, "nvim_get_mode")
        self.mode, self.blocked = state["mode"], state["blocking"]

    def request(self, method: str, *arguments: Any, limit_s: float = REQUEST_LIMIT_S) -> Any:
        """Any API function.

        Raises:
            AssertionError: Neovim waits for a key (a hit-enter prompt), so it would not answer.
            pynvim.NvimError: the function failed.
        """
        self.pump()
        if self.blocked:
            raise AssertionError("Neovim waits for a key\n" + self.frame())
        return self._ask(limit_s, method, *arguments)

    def lua(self, code: str, *arguments: Any) -> Any:
        """Run Lua and return its value; ``...`` in the code are the arguments."""
        return self.request("nvim_exec_lua", code, list(arguments))

    def command(self, command: str) -> str:
        """Run an Ex command and return what it printed."""
        printed: dict[str, str] = self.request("nvim_exec2", command, {"output": True})
        return printed["output"]

    def keys(self, keys: str) -> None:
        """Type ``keys`` as a person would (``<CR>`` notation), without waiting for their effect."""
        while keys:
            taken = self._ask(REQUEST_LIMIT_S, "nvim_input", keys)
            keys = keys.encode()[taken:].decode(errors="ignore")
        self.pump()

    def resize(self, width: int, height: int) -> None:
        """Give the screen another size, as a terminal does."""
        self._ask(REQUEST_LIMIT_S, "nvim_ui_try_resize", width, height)
        self.wait_for(lambda: (self.screen.width, self.screen.height) == (width, height))

    # -- looking ------------------------------------------------------------

    def lines(self) -> list[str]:
        """The screen now, a string a row."""
        self.pump()
        return self.screen.lines()

    def text(self) -> str:
        """The screen now, as one string."""
        return "\n".join(self.lines())

    def frame(self) -> str:
        """The screen as last seen, in a box, for messages."""
        bar = "+" + "-" * self.screen.width + "+"
        return "\n".join([bar, *(f"|{line.ljust(self.screen.width)}|" for line in self.screen.lines()), bar])

    def messages(self) -> str:
        """``:messages``."""
        return self.command("messages")

    def wait_for(self, predicate: Callable[[], Any], *, timeout_s: float = 20.0, what: str = "") -> Any:
        """Poll until ``predicate`` is true and return its value.

        Raises:
            AssertionError: it was not in ``timeout_s`` seconds; shows the screen.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            self.pump()
            if value := predicate():
                return value
            if time.monotonic() > deadline:
                self.pump()
                raise AssertionError(f"not within {timeout_s} s: {what or 'the condition'}\n{self.frame()}")
            time.sleep(POLL_S)

    # -- ending -------------------------------------------------------------

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, AttributeError):
            os.kill(self.pid, signal.SIGKILL)

    def alive(self) -> bool:
        """Whether the process still runs (a zombie does not)."""
        try:
            os.kill(self.pid, 0)
            with open(f"/proc/{self.pid}/stat", encoding="utf-8", errors="replace") as stat:
                return stat.read().rpartition(")")[2].split()[0] != "Z"
        except ProcessLookupError:
            return False
        except FileNotFoundError:
            return os.path.isdir("/proc/self") is False  # gone meanwhile; without /proc the signal was the answer

    def quit(self, command: str = "qall!", timeout_s: float = 10.0) -> float:
        """Leave by an Ex command and return how many seconds the process took to end."""
        started = time.monotonic()
        with contextlib.suppress(*GONE):
            self._ask(timeout_s, "nvim_command", command)
        while self.alive():
            if time.monotonic() - started > timeout_s:
                self._kill()
                raise AssertionError(f"Neovim did not end within {timeout_s} s of :{command}")
            time.sleep(POLL_S / 5)
        took = time.monotonic() - started
        self._release()
        return took

    def close(self) -> None:
        """End it whatever it is doing; safe to call twice."""
        if self._closed:
            return
        try:
            self.pump()
            if self.blocked:
                self.keys("<C-c>")
            self.quit()
        except (*GONE, AssertionError):
            self._kill()
            self._release()

    def _release(self) -> None:
        if not self._closed:
            self._closed = True
            self.nvim.close()


class StartNeovim(Protocol):
    """The fixture ``start_nvim``: starts children of one version that end with the test."""

    def __call__(self, *, cwd: Path, **options: Any) -> Child: ...
