"""A Neovim in a real terminal: a pseudo-terminal for its keys, size and screen, a socket to ask what it thinks."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import tempfile
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pynvim

from harness import POLL_S, REPOSITORY, UNWANTED

_ESCAPES = re.compile(rb"\x1b\[[0-9;:?<=>]*[ -/]*[@-~]|\x1b[PX^_\]].*?(?:\x1b\\|\x07)|\x1b[ -/]*[0-~]", re.DOTALL)

_WHO_ARE_YOU = b"\x1b[c"


class Terminal:
    """One Neovim as a person starts it, with the plugin on its runtime path.

    Args:
        binary: the Neovim to run.
        cwd: its working folder.
        env: variables on top of this process's.
        arguments: as given in a shell.
        columns: of the terminal.
        lines: of the terminal.
    """

    def __init__(
        self, binary: Path, *, cwd: Path, env: dict[str, str], arguments: tuple[str, ...], columns: int, lines: int
    ) -> None:
        # A Unix socket's path holds about 100 bytes, and pytest's folders use most of them.
        self._folder = tempfile.TemporaryDirectory(prefix="ac-")
        socket = Path(self._folder.name) / "nvim"
        path = str(REPOSITORY).replace("'", "''")
        before = [f"let &runtimepath = '{path}'.','.&runtimepath", "set shortmess+=I notermguicolors noswapfile"]
        argv = [str(binary), "--clean", "-n", "-i", "NONE", "--listen", str(socket)]
        argv += [part for command in before for part in ("--cmd", command)]
        variables = {name: value for name, value in os.environ.items() if name not in UNWANTED}
        variables |= {"TERM": "xterm-256color", **env}
        self._drawn, self._closed = bytearray(), False
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:  # the child
            os.chdir(cwd)
            os.execve(binary, [*argv, *arguments], variables)  # noqa: S606 - no shell is wanted
        self.resize(columns, lines)
        threading.Thread(target=self._read, daemon=True).start()
        deadline = time.monotonic() + 20
        while True:
            try:
                self.nvim = pynvim.attach("socket", path=str(socket))
                break
            except OSError:
                assert time.monotonic() < deadline, self.drawn()
                time.sleep(POLL_S)
        self.wait_for(lambda: self.lua("return vim.v.vim_did_enter == 1 and #vim.api.nvim_list_uis() == 1"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._closed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGHUP)
            self._ended(10.0)
        self._folder.cleanup()

    def _read(self) -> None:
        # Whoever does not read stops a terminal's program.
        with contextlib.suppress(OSError):
            while data := os.read(self._descriptor, 65536):
                self._drawn += data
                # What every terminal answers: Neovim 0.12 waits a second for it before it leaves.
                for _ in range(data.count(_WHO_ARE_YOU)):
                    os.write(self._descriptor, b"\x1b[?62;22c")

    def drawn(self) -> str:
        """All text drawn so far, without what positions and colours it."""
        return _ESCAPES.sub(b"", bytes(self._drawn)).decode(errors="replace")

    def lua(self, code: str, *arguments: Any) -> Any:
        """Run Lua and return its value."""
        return self.nvim.request("nvim_exec_lua", code, list(arguments))

    def type(self, keys: str) -> None:
        """Bytes as a terminal sends them: ``\\x03`` is <C-c>."""
        os.write(self._descriptor, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        """Another size: the kernel tells the program with SIGWINCH."""
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def wait_for(self, predicate: Callable[[], Any], timeout_s: float = 20.0) -> Any:
        """Poll until ``predicate`` is true and return its value."""
        deadline = time.monotonic() + timeout_s
        while not (value := predicate()):
            assert time.monotonic() < deadline, self.drawn()[-4000:]
            time.sleep(POLL_S)
        return value

    def _ended(self, timeout_s: float) -> float:
        started = time.monotonic()
        while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
            if time.monotonic() - started > timeout_s:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                break
            time.sleep(POLL_S / 5)
        self._closed = True
        with contextlib.suppress(OSError):
            self.nvim.close()
        os.close(self._descriptor)
        return time.monotonic() - started

    def quit(self) -> float:
        """``:qa!``, whatever it is doing; returns the seconds until the terminal is free again."""
        with contextlib.suppress(OSError, EOFError):
            self.nvim.command("qall!", async_=True)
        return self._ended(10.0)
