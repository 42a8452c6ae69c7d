"""kill -9 in the middle of indexing a real repository: this project. The index ends up as if nothing had happened."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from auto_context import paths
from auto_context.config import Settings
from auto_context.engine import Engine
from auto_context.engine.opening import open_repository
from auto_context.service.client import ServiceClient
from auto_context.types import SearchRequest
from harness import REPOSITORY, Child
from sandbox import CACHE, stop_service
from support import follow_job, git, wait_until

QUERIES = ["where is a lock taken so that only one service runs", "VectorIndex", "lexical.py", "how are secrets found"]


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some of the sources of this project, in a repository of their own."""
    folder = tmp_path_factory.mktemp("faults") / "project"
    for part in (
        *(f"python/auto_context/{name}" for name in ("source", "store", "service")),
        "lua",
        "rplugin",
        "plugin",
    ):
        listed = subprocess.run(
            ["git", "-C", str(REPOSITORY), "ls-files", "-co", "--exclude-standard", "-z", part],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for name in filter(None, listed.split("\0")):
            if (REPOSITORY / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(REPOSITORY / name, folder / name)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    return folder


def content_of(data: Path, root: Path) -> dict[str, Any]:
    """Everything an index holds of a root, without what depends on when it was made."""
    repository = open_repository(data / "stores", str((root / ".git").resolve()), create=False)
    assert repository is not None
    view = repository.worktree(str(root)).view
    repository.use_last_models()
    keys = sorted({entry.key for entry in view.entries.values() if entry.key})
    content = {
        "entries": {path: (entry.key, entry.chunks, entry.reason) for path, entry in view.entries.items()},
        "vectors": repository.vector.body_vectors(keys),
        "static": repository.static.body_vectors(keys),
        "unlexed": repository.lexed.missing(view),
    }
    repository.close()
    return content


def answers(root: Path) -> list[list[tuple[str, int]]]:
    """Where some queries lead."""
    client = ServiceClient()
    found = []
    for query in QUERIES:
        reply = client.request("GET", "/search", params={"query": query, "root": str(root), "wait_ms": 60_000})
        assert set(reply["legs"].values()) == {"ok"}
        found.append([(hit["path"], hit["start_line"]) for hit in reply["hits"][:5]])
    return found


@pytest.fixture(scope="session")
def undisturbed(project: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[Any]]:
    data = tmp_path_factory.mktemp("undisturbed")
    engine = Engine(data, Settings(), cache_dir=CACHE / "models")
    engine.update(project)
    replies = [engine.search(SearchRequest(query, str(project), wait_ms=60_000)) for query in QUERIES]
    engine.close()
    return content_of(data, project), [[(hit.path, hit.start_line) for hit in reply.hits[:5]] for reply in replies]


def wait_for_phase(client: ServiceClient, job: str, phase: str, chunks: int) -> None:
    """Return in the middle of a phase."""

    def there() -> bool:
        body = client.request("GET", f"/jobs/{job}", params={"wait_ms": 50})
        assert body["state"] in {"running", "queued"}, body
        progress = body["progress"]
        return bool(progress["phase"] == phase and progress["chunks_done"] >= chunks)

    wait_until(there, limit_s=120)


def check(project: Path, undisturbed: tuple[dict[str, Any], list[Any]]) -> None:
    """Continue, then compare with the undisturbed index."""
    client = ServiceClient()
    job = client.request("POST", "/index/update", body={"root": str(project)})["job"]
    body = follow_job(client, job, limit_s=300)
    assert body["state"] == "done", body
    assert body["report"]["pending_chunks"] == 0
    assert answers(project) == undisturbed[1]
    stop_service()
    now, before = content_of(paths.data_dir(), project), undisturbed[0]
    assert now["entries"] == before["entries"]
    assert now["unlexed"] == [] == before["unlexed"]
    assert now["vectors"].keys() == before["vectors"].keys()
    for key, vectors in now["vectors"].items():
        # Batches differ, so the last bits of bf16 do.
        cosine = (vectors * before["vectors"][key]).sum(axis=1)
        assert cosine.min() > 0.998


def start_update(project: Path) -> tuple[ServiceClient, str]:
    client = ServiceClient()
    return client, client.request("POST", "/index/update", body={"root": str(project)})["job"]


@pytest.mark.parametrize("victim", ["service", "worker"])
def test_a_kill_while_embedding(victim: str, project: Path, undisturbed: tuple[dict[str, Any], list[Any]]) -> None:
    client, job = start_update(project)
    wait_for_phase(client, job, "embed", chunks=100)
    body = client.request("GET", "/status")["service"]
    os.kill(body["pid"] if victim == "service" else body["worker_pid"], signal.SIGKILL)
    if victim == "worker":
        ended = follow_job(client, job)
        assert ended["state"] == "done"
        assert ended["report"]["pending_chunks"] > 0
    again = client.request("POST", "/index/update", body={"root": str(project)})["job"]
    report = follow_job(client, again, limit_s=300)["report"]
    assert 0 < report["embedded_chunks"] <= report["chunks"] - 100
    check(project, undisturbed)


def test_a_kill_of_the_service_while_reading(project: Path, undisturbed: tuple[dict[str, Any], list[Any]]) -> None:
    client, _ = start_update(project)
    pid = client.request("GET", "/version")["pid"]
    wait_until(lambda: any((paths.data_dir() / "stores").glob("*/sidecar/cache.db")))
    os.kill(pid, signal.SIGKILL)
    check(project, undisturbed)


def test_a_kill_of_neovims_host(
    nvim_binary: Path, project: Path, undisturbed: tuple[dict[str, Any], list[Any]]
) -> None:
    with Child(nvim_binary, cwd=project) as child:
        child.command("AutoContext index")

        def hosts() -> list[psutil.Process]:
            return [p for p in psutil.Process(child.pid).children(recursive=True) if "python" in p.name()]

        wait_until(lambda: ServiceClient().request("GET", "/status", params={"root": str(project)})["job"])
        child.wait_for(hosts)
        killed = hosts()[0]
        killed.kill()
        child.wait_for(lambda: killed not in hosts())
        child.keys(":AutoContext search VectorIndex<CR>")
        child.wait_for(lambda: "vectors.py" in child.text(), timeout_s=120)
    check(project, undisturbed)
