"""Sockets, locks and runtime folders that are not as they should be, and services that hang."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from auto_context import paths
from auto_context.service.api import PROTOCOL
from auto_context.service.client import ServiceClient
from sandbox import alive
from shell import command, refused
from support import wait_until

STRANGER = 12345
"""A user that nobody is."""


def stem() -> Path:
    return paths.runtime_dir() / paths.service_name(paths.data_dir(), PROTOCOL)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder of another user: of a made-up one where we are root, of root where we are not."""
    if os.getuid():
        return Path("/usr")
    os.chown(tmp_path, STRANGER, STRANGER)
    return tmp_path


def test_a_runtime_folder_with_a_long_path_is_not_used(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 120)
    short = Path(os.environ["AUTO_CONTEXT_RUNTIME_DIR"])
    variables = {"AUTO_CONTEXT_RUNTIME_DIR": str(long), "TMPDIR": str(short)}
    done = command("service", "start", **variables)
    assert done.returncode == 0, done.stderr
    assert list(short.glob("auto-context-*/*.sock"))
    assert not long.exists()
    assert command("service", "stop", **variables).stdout == "stopped\n"


def test_a_temporary_folder_with_a_long_path_as_well_is_said(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    said = refused("unsafe_directory", "status", AUTO_CONTEXT_RUNTIME_DIR=str(long), TMPDIR=str(long))
    assert "set AUTO_CONTEXT_RUNTIME_DIR to a folder with a shorter path" in said


def test_a_runtime_folder_of_another_user_is_refused_and_left_alone(foreign: Path) -> None:
    before = stat.S_IMODE(foreign.stat().st_mode)
    said = refused("unsafe_directory", "search", "x", AUTO_CONTEXT_RUNTIME_DIR=str(foreign))
    assert str(foreign) in said
    assert "set AUTO_CONTEXT_RUNTIME_DIR" in said
    assert stat.S_IMODE(foreign.stat().st_mode) == before
    assert not list(foreign.glob("*.sock"))


@pytest.mark.skipif(os.getuid() != 0, reason="NOT TESTED: only root can make a socket of another user")
def test_a_socket_of_another_user_is_never_spoken_to() -> None:
    path = stem().with_suffix(".sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    os.chown(path, STRANGER, STRANGER)
    assert str(path) in refused("unsafe_directory", "status")
    listener.close()


def test_a_lock_that_a_dead_service_left_is_taken() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    stem().with_suffix(".lock").write_text(str(ended.pid))
    pid = ServiceClient().request("GET", "/version")["pid"]
    assert stem().with_suffix(".lock").read_text() == str(pid)


@pytest.mark.parametrize("suffix", [".lock", ".sock"])
def test_a_folder_where_the_lock_or_the_socket_should_be_is_said(suffix: str) -> None:
    place = stem().with_suffix(suffix)
    (place / "below").mkdir(parents=True)
    said = refused("storage_failed", "status")
    assert str(place) in said
    assert "AUTO_CONTEXT_RUNTIME_DIR" in said


def test_a_service_that_hangs_is_said_and_a_kill_helps() -> None:
    pid = ServiceClient().request("GET", "/version")["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        assert f"`kill -9 {pid}`" in refused("service_unreachable", "status")
        assert f"`kill -9 {pid}`" in refused("service_unreachable", "service", "stop")
    finally:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not alive(pid))
    assert ServiceClient().request("GET", "/version")["pid"] != pid


@contextlib.contextmanager
def answering(answer: bytes) -> Iterator[None]:
    """Somebody else's server on the service's socket, which says the same to everybody."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(stem().with_suffix(".sock")))
    listener.listen()

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = listener.accept()[0]
                with connection:
                    connection.recv(65_536)
                    connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"version": "99.0", "protocol": 99, "pid": 1}', "service_newer"),
        (b'{"version": 7, "protocol": 99, "pid": 1}', "service_newer"),
        (b'["no service at all"]', "bad_request"),
    ],
    ids=["newer", "odd", "foreign"],
)
def test_a_service_that_speaks_otherwise_is_refused(body: bytes, code: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    with answering(head % len(body) + body):
        refused(code, "status")


@pytest.mark.parametrize(
    ("content", "arguments"),
    [
        (b"model = \n", ["status"]),
        (b'model = "x', ["search", "x"]),
        (b"\x80\x02}q\x00.\xff\xfe\x00", ["service", "start"]),
        (b"\0" * 100, ["doctor"]),
    ],
    ids=["toml", "cut", "binary", "zeros"],
)
def test_settings_that_cannot_be_read_are_named(content: bytes, arguments: list[str]) -> None:
    file = paths.config_dir() / "auto-context.toml"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    assert str(file) in refused("config_invalid", *arguments)
