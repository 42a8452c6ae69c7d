"""Settings as a service has them: from its file and its own environment, never from whoever happens to ask first."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auto_context.errors import AutoContextError
from auto_context.service.client import ServiceClient
from sandbox import sandboxed
from support import index, make_shop, wait_until

COMMAND = [sys.executable, "-m", "auto_context"]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A service of its own for each test, which changes what it is started with."""
    with sandboxed(tmp_path / "home") as variables:
        Path(variables["AUTO_CONTEXT_CONFIG_DIR"]).mkdir()
        yield variables


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_shop(tmp_path / "shop")


def write(home: dict[str, str], text: str) -> None:
    (Path(home["AUTO_CONTEXT_CONFIG_DIR"]) / "auto-context.toml").write_text(text)


def in_effect(project: Path) -> dict[str, Any]:
    body = ServiceClient().request("GET", "/config", params={"root": str(project)})
    return {name: item["value"] for name, item in body["settings"].items()}


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, env=environment)


def test_the_first_client_configures_nobody_and_one_who_starts_it_does(home: dict[str, str], project: Path) -> None:
    write(home, "keep_days = 5\n")
    variables = {"AUTO_CONTEXT_EXCLUDE": "web/:docs/", "AUTO_CONTEXT_KEEP_DAYS": "3", "AUTO_CONTEXT_MODEL": "other"}
    assert run("status", str(project), **variables).returncode == 0
    passing = in_effect(project)
    assert (passing["exclude"], passing["keep_days"], passing["model"]) == ([], 5, "all-MiniLM-L6-v2")
    assert run("service", "stop").returncode == 0
    assert run("service", "start", **variables).returncode == 0
    meant = in_effect(project)
    assert (meant["exclude"], meant["keep_days"], meant["model"]) == (["web/", "docs/"], 3, "all-MiniLM-L6-v2")
    index(ServiceClient(), project)
    found = ServiceClient().request("GET", "/search", params={"query": "basket", "root": str(project), "limit": 50})
    assert {hit["path"].split("/")[0] for hit in found["hits"]} & {"web", "docs"} == set()


def test_a_search_that_says_nothing_gets_the_limit_and_the_threshold_of_the_file(
    home: dict[str, str], project: Path
) -> None:
    write(home, "limit = 3\n")
    client = ServiceClient()
    index(client, project)
    asked = {"query": "basket", "root": str(project)}
    assert len(client.request("GET", "/search", params=asked)["hits"]) == 3
    assert len(client.request("GET", "/search", params={**asked, "limit": 5})["hits"]) == 5
    similar = {"root": str(project), "path": "src/basket.py", "line": 12}
    assert len(client.request("GET", "/similar", params=similar)["hits"]) == 3
    write(home, "threshold = 1\n")
    pid = client.request("GET", "/version")["pid"]
    wait_until(lambda: client.request("GET", "/version")["pid"] != pid)  # a changed file takes effect by itself
    assert len(client.request("GET", "/search", params=asked)["hits"]) == 1


def test_every_command_tells_a_mistake_in_the_file(home: dict[str, str], project: Path) -> None:
    assert run("status", str(project)).returncode == 0
    write(home, "limt = 3\n")
    for arguments in (
        ("index", str(project)),
        ("search", "x", "--root", str(project)),
        ("similar", f"{project}/src/basket.py"),
        ("context", f"{project}/src/basket.py:3"),
        ("status", str(project)),
        ("config", str(project)),
        ("config", str(project), "--json"),
        ("prune",),
        ("vacuum",),
        ("doctor",),
        ("service", "start"),
    ):
        done = run(*arguments)
        assert done.returncode == 2, arguments
        assert "unknown key 'limt' (config_invalid)\n  did you mean 'limit'?" in done.stderr
        assert "Traceback" not in done.stderr
    assert run("service", "stop").stdout == "stopped\n"  # what still works: to end it


def test_a_client_that_is_asked_for_a_service_hears_of_the_mistake(home: dict[str, str]) -> None:
    write(home, "model = 3\n")
    with pytest.raises(AutoContextError) as caught:
        ServiceClient().request("GET", "/status")
    assert caught.value.code == "config_invalid"
    assert "model must be a text, not 3" in caught.value.message


def test_the_limits_of_time_and_memory_are_those_of_the_file(home: dict[str, str], tmp_path: Path) -> None:
    write(home, "idle_minutes = 7\nmemory_mb = 345\n")
    code = (
        "import sys; from pathlib import Path; from auto_context.service import process\n"
        "def look(service, idle_s, changed, stop, ended):\n"
        "    print(idle_s, service.minder.limit, changed(), flush=True); stop()\n"
        "process._look_after = look; process.run(Path(sys.argv[1]))"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "data"], capture_output=True, text=True, check=True)
    assert done.stdout == "420.0 345000000 False\n"


def test_the_repositorys_own_file_warns_and_narrows(home: dict[str, str], project: Path) -> None:
    assert home
    (project / ".auto-context.toml").write_text('exclude = ["web/", "/etc"]\nbackend = "torch"\n')
    done = run("index", str(project), "--tier", "static")
    assert (done.returncode, done.stderr.count("warning: ")) == (0, 2)
    status = ServiceClient().request("GET", "/status", params={"root": str(project)})["repository"]
    assert [warning["code"] for warning in status["warnings"]] == ["config_invalid"] * 2
    assert status["skipped"]["excluded"] == len(list((project / "web").iterdir()))
    assert ".auto-context.toml may not set backend" in run("status", str(project)).stderr
    shutil.rmtree(project / "web")
