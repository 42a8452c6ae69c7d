"""SIGTERM and SIGINT to every process in the middle of its work: it ends soon, and the next one goes on."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from auto_context import paths
from auto_context.service.client import ServiceClient
from sandbox import CACHE, alive
from sharing import shared_sandbox
from support import follow_job, index, make_large, make_shop, wait_until

BOTH = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
SOON_S = 6.0
"""Twice what is promised: others use this machine."""
STATUS = {signal.SIGTERM: 143, signal.SIGINT: 130}
HEARS_BOTH = """
import runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would not
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


# Each test leaves the service able to go on, which is what is tested.
sandbox = shared_sandbox()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that the model reads for a minute; the shop's files are in it."""
    return make_large(tmp_path_factory.mktemp("repository") / "large", 200)


def start(module: str, *arguments: str, stderr: int = subprocess.PIPE, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HEARS_BOTH, module, *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, text=True,
        env={**os.environ, **environment},
    )  # fmt: skip


def end(child: subprocess.Popen[str], number: signal.Signals) -> str:
    """Send it a signal; returns what it said until it ended as it should."""
    began = time.monotonic()
    child.send_signal(number)
    out, said = (text or "" for text in child.communicate(timeout=60))
    assert time.monotonic() - began < SOON_S
    assert child.returncode == STATUS[number], (out, said)
    assert "Traceback" not in out + said
    return said


def job_of(client: ServiceClient, root: Path) -> dict[str, Any] | None:
    job: dict[str, Any] | None = client.request("GET", "/status", params={"root": str(root)})["job"]
    return job


def embeds(client: ServiceClient, root: Path) -> bool:
    job = job_of(client, root)
    return job is not None and job["progress"]["phase"] == "embed"


@BOTH
def test_an_index_that_is_interrupted_is_cancelled(number: signal.Signals, large: Path) -> None:
    client = ServiceClient()
    child = start("auto_context", "index", str(large))
    wait_until(lambda: embeds(client, large), 120)
    assert "cancelled: what was done is kept" in end(child, number)
    wait_until(lambda: job_of(client, large) is None)
    reply = client.request("GET", "/search", params={"query": "RetryPolicy", "root": str(large)})
    assert reply["hits"][0]["path"] == "src/uploads.py"


@BOTH
def test_a_search_that_is_interrupted_leaves_the_service_as_it_is(number: signal.Signals, large: Path) -> None:
    client = ServiceClient()
    pid = client.request("GET", "/version")["pid"]
    client.request("POST", "/lease", body={"client": "before"})
    os.kill(pid, signal.SIGSTOP)
    try:
        child = start("auto_context", "search", "where is a step", "--root", str(large))
        # It waits for the service's answer to its first question.
        wait_until(lambda: has_socket(child.pid))
        end(child, number)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert client.request("GET", "/version")["pid"] == pid


def has_socket(pid: int) -> bool:
    """Whether a process has a socket open."""
    try:
        return any(os.readlink(item.path).startswith("socket:") for item in os.scandir(f"/proc/{pid}/fd"))
    except FileNotFoundError:  # closed while they were listed
        return False


@BOTH
def test_a_start_that_is_interrupted_harms_nobody(number: signal.Signals, tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    log = paths.log_dir() / "service.err"
    before = log.stat().st_mtime_ns if log.exists() else 0
    child = start("auto_context", "service", "start", AUTO_CONTEXT_DATA_DIR=data)
    # Its log is opened when the service is being started.
    wait_until(lambda: log.exists() and children(child.pid))
    end(child, number)
    assert log.stat().st_mtime_ns >= before
    client = ServiceClient(Path(data))
    assert client.request("GET", "/version")["version"]
    assert client.stop()


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()


@BOTH
@pytest.mark.parametrize("which", ["worker_pid", "reader_pids"])
def test_a_worker_that_is_ended_is_started_again(number: signal.Signals, which: str, large: Path) -> None:
    client = ServiceClient()
    (large / "src/fresh.py").write_text(f"def heron():\n    return '{number} {which}'\n")
    job = client.request("POST", "/index/update", body={"root": str(large)})["job"]
    wait_until(lambda: embeds(client, large), 120)
    found = client.request("GET", "/status")["service"][which]
    ended = [found] if isinstance(found, int) else found
    for pid in ended:
        os.kill(pid, number)
    wait_until(lambda: not any(map(alive, ended)), SOON_S)
    if which == "worker_pid":
        body = follow_job(client, job)
        assert (body["state"], body["report"]["pending_chunks"] > 0) == ("done", True)
    else:
        client.request("DELETE", f"/jobs/{job}")
        assert follow_job(client, job)["state"] == "cancelled"
    saved = client.request("POST", "/index/incremental", body={"root": str(large), "paths": ["src/fresh.py"]})["job"]
    assert follow_job(client, saved)["state"] == "done"


@BOTH
def test_a_service_that_is_ended_while_it_indexes_goes_on_afterwards(
    number: signal.Signals, large: Path, tmp_path: Path
) -> None:
    client = ServiceClient()
    shop = make_shop(tmp_path / "shop")
    child = start("auto_context", "index", str(large))
    wait_until(lambda: embeds(client, large), 120)
    before = client.request("GET", "/status", params={"root": str(large)})["repository"]["chunks"]
    pid = client.request("GET", "/version")["pid"]
    os.kill(pid, number)
    wait_until(lambda: not alive(pid), SOON_S)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 2
    assert "Traceback" not in said
    assert "(job_missing)" in said or "(cancelled)" in said
    assert client.request("GET", "/status", params={"root": str(large)})["repository"]["chunks"] == before
    assert index(client, shop)["pending_chunks"] == 0


def new_cache(folder: Path) -> Path:
    """All that is known of the bundled model but its static one: it is the distillation that takes the time."""
    (folder / "models").mkdir(parents=True)
    for file in (CACHE / "models").iterdir():
        if file.name != "static":
            (folder / "models" / file.name).symlink_to(file)
    return folder


@BOTH
def test_a_distillation_that_is_interrupted_leaves_nothing_half_made(number: signal.Signals, tmp_path: Path) -> None:
    cache = new_cache(tmp_path / "cache")
    leader, follower = pty.openpty()
    child = start("auto_context.embed", stderr=follower, AUTO_CONTEXT_CACHE_DIR=str(cache), TERM="xterm")
    os.close(follower)
    seen = b""
    while not re.search(rb"distilling the static model [1-9]", seen):
        seen += os.read(leader, 4096)
    end(child, number)
    seen = os.read(leader, 65_536)
    os.close(leader)
    assert b"interrupted: nothing is left half made; run it again" in seen
    assert b"Traceback" not in seen
    assert not (cache / "models/static").exists()


@BOTH
def test_so_does_one_that_is_still_loading_the_model(number: signal.Signals, tmp_path: Path) -> None:
    cache = new_cache(tmp_path / "cache")
    child = start("auto_context.embed", AUTO_CONTEXT_CACHE_DIR=str(cache))
    wait_until(lambda: "torch" in maps(child.pid) or "openvino" in maps(child.pid), 60)
    assert "interrupted: nothing is left half made" in end(child, number)
    assert not (cache / "models/static").exists()


def maps(pid: int) -> str:
    """The files a process has loaded."""
    return Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace")


INTERRUPTED_AT_ONCE = """
import sys

class Interrupt:
    def find_spec(self, name, path, target=None):
        if name == "auto_context.cli":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
from auto_context.__main__ import main
sys.exit(main())
"""


def test_a_command_that_is_interrupted_while_it_is_loaded_ends_as_quietly() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED_AT_ONCE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
