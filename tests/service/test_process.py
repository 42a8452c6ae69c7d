"""The service as a process: election, versions, sockets, and what happens when something is killed."""

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from auto_context import paths
from auto_context.errors import AutoContextError
from auto_context.service import client as client_module
from auto_context.service.api import PROTOCOL, release
from auto_context.service.client import ServiceClient
from sandbox import alive, sandboxed
from support import index, make_shop, wait_until


@pytest.fixture
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A service for each test: these kill it."""
    with sandboxed(tmp_path_factory.mktemp("home")) as variables:
        yield variables


def stem() -> Path:
    return paths.runtime_dir() / paths.service_name(paths.data_dir(), PROTOCOL)


def services() -> list[int]:
    """Processes that are services of this sandbox."""
    wanted = ["-m", "auto_context.service", "--data-dir", str(paths.data_dir())]
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if command[-4:] == wanted and process.status() != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


def test_many_starters_end_with_one_service() -> None:
    pids: set[int] = set()
    errors: list[Exception] = []

    def start() -> None:
        try:
            pids.add(ServiceClient().request("GET", "/version")["pid"])
        except Exception as error:  # noqa: BLE001 - shown below
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(pids) == 1
    wait_until(lambda: services() == [*pids])


def test_the_socket_and_its_folder_are_private() -> None:
    ServiceClient().request("GET", "/version")
    path = stem().with_suffix(".sock")
    assert stat.S_IMODE(path.lstat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.lstat().st_mode) == 0o700


def test_a_stale_socket_is_replaced() -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(stem().with_suffix(".sock")))
    left.close()
    assert ServiceClient().request("GET", "/version")["protocol"] == PROTOCOL


def test_someone_elses_runtime_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.setenv("AUTO_CONTEXT_RUNTIME_DIR", str(tmp_path / "link"))
    with pytest.raises(AutoContextError) as caught:
        ServiceClient()
    assert caught.value.code == "unsafe_directory"


def test_a_killed_service_is_started_again_by_the_next_request() -> None:
    client = ServiceClient()
    first = client.request("GET", "/version")["pid"]
    os.kill(first, signal.SIGKILL)
    second = client.request("GET", "/version")["pid"]
    assert second != first
    assert not alive(first)


def test_a_killed_worker_is_started_again(tmp_path: Path) -> None:
    client, shop = ServiceClient(), make_shop(tmp_path / "shop")
    index(client, shop)
    pid = client.request("GET", "/status")["service"]["worker_pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: client.request("GET", "/status")["service"]["worker_pid"] != pid)
    reply = client.request("GET", "/search", params={"query": "sold out", "root": str(shop), "wait_ms": 60_000})
    assert reply["legs"]["vector"] == "ok"
    assert client.request("GET", "/status")["service"]["worker_pid"] not in {pid, None}


def test_a_killed_service_leaves_no_worker(tmp_path: Path) -> None:
    client, shop = ServiceClient(), make_shop(tmp_path / "shop")
    index(client, shop)
    body = client.request("GET", "/status")["service"]
    os.kill(body["pid"], signal.SIGKILL)
    wait_until(lambda: not alive(body["worker_pid"]))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_cleanly(number: signal.Signals) -> None:
    client = ServiceClient()
    pid = client.request("GET", "/version")["pid"]
    os.kill(pid, number)
    wait_until(lambda: not alive(pid), limit_s=5)
    assert not stem().with_suffix(".sock").exists()
    assert "service ended" in (paths.log_dir() / "service.log").read_text()


def test_a_newer_client_replaces_an_older_service(monkeypatch: pytest.MonkeyPatch) -> None:
    old = ServiceClient().request("GET", "/version")["pid"]
    monkeypatch.setattr(client_module, "__version__", "99.0")
    new = ServiceClient().request("GET", "/version")["pid"]
    assert new != old
    assert not alive(old)


def test_an_older_client_uses_a_newer_service(monkeypatch: pytest.MonkeyPatch) -> None:
    pid = ServiceClient().request("GET", "/version")["pid"]
    monkeypatch.setattr(client_module, "__version__", "0.0.1")
    assert ServiceClient().request("GET", "/version")["pid"] == pid


def test_a_service_of_another_protocol_is_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    pid = ServiceClient().request("GET", "/version")["pid"]
    path = stem().with_suffix(".sock")
    monkeypatch.setattr(client_module, "PROTOCOL", PROTOCOL + 1)
    newer = ServiceClient()
    monkeypatch.setattr(newer, "_socket", str(path))
    with pytest.raises(AutoContextError) as caught:
        newer.request("GET", "/version")
    assert caught.value.code == "service_newer"
    assert alive(pid)


def test_versions_compare_by_number() -> None:
    assert release("0.10.0") > release("0.9.3")
    assert release("1.0.dev1") == (1, 0)
    assert release("") == ()


def test_a_service_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no folder")
    with pytest.raises(AutoContextError) as caught:
        ServiceClient(tmp_path / "data").request("GET", "/version")
    assert caught.value.code == "unsafe_directory"
    assert str(tmp_path / "data") in caught.value.message


def test_nobody_is_started_when_that_is_not_wanted() -> None:
    with pytest.raises(AutoContextError) as caught:
        ServiceClient().request("GET", "/version", start=False)
    assert caught.value.code == "service_unreachable"
    assert services() == []


def test_the_folder_one_stands_in_is_never_importable(tmp_path: Path) -> None:
    (tmp_path / "fastapi.py").write_text("raise SystemExit('imported from the working folder')\n")
    code = "from auto_context.service.client import ServiceClient; print(ServiceClient().request('GET', '/version'))"
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_service_that_falls_over_before_it_can_speak_is_said_with_its_last_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'no module named auto_context' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(AutoContextError) as caught:
        ServiceClient().request("GET", "/version")
    assert caught.value.code == "service_failed"
    assert "no module named auto_context" in caught.value.message
