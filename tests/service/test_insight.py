"""Figures and health of a running service: by HTTP, by the shell, and as lines in the log folder."""

import http.client
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from auto_context import paths
from auto_context.service.api import PROTOCOL
from auto_context.service.client import ServiceClient
from auto_context.service.statistics import FILE_NAME
from support import git, index, make_shop


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "auto_context", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def stats(client: ServiceClient, root: Path) -> dict[str, Any]:
    return client.request("GET", "/stats", params={"root": str(root)})


def metrics() -> str:
    stem = paths.runtime_dir() / paths.service_name(paths.data_dir(), PROTOCOL)
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(stem.with_suffix(".sock")))
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    text = answer.read().decode()
    connection.close()
    return text


def test_stats_tells_of_an_index_of_what_was_embedded_and_of_the_service(client: ServiceClient, tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    assert stats(client, shop)["repository"]["indexed"] is False
    index(client, shop)
    before = stats(client, shop)["service"]
    for query in ("basket", "basket"):
        client.request("GET", "/search", params={"query": query, "root": str(shop), "wait_ms": 30_000})
    body = stats(client, shop / "src")
    known, service = body["repository"], body["service"]
    assert (known["indexed"], known["top"], known["branch"]) == (True, str(shop), "main")
    assert known["coverage"] == {"lexical": 1.0, "path": 1.0, "static": 1.0, "vector": 1.0}
    assert known["stale"] == 0
    assert [item["ref"] for item in known["branches"]] == ["main"]
    assert known["embedding"]["chunks"] == known["chunks"] > 0
    assert known["embedding"]["ms_per_chunk"] > 0
    assert service["searches"]["count"] == before["searches"]["count"] + 2
    assert service["caches"]["queries"]["hits"] == before["caches"]["queries"]["hits"] + 1
    assert service["caches"]["contents"]["hits"] > before["caches"]["contents"]["hits"]
    (shop / "src/uploads.py").write_text("changed = True\n")
    (shop / "src/basket.py").unlink()
    assert stats(client, shop)["repository"]["stale"] == 2
    lines = [json.loads(line) for line in (paths.log_dir() / FILE_NAME).read_text().splitlines()]
    assert lines[-1]["root"] == str(shop)
    assert lines[-1]["embedded_chunks"] == known["embedding"]["chunks"]


def test_the_shell_prints_them(client: ServiceClient, shop: Path) -> None:
    printed = run("stats", str(shop))
    assert printed.returncode == 0
    for word in ("files", "chunks", "coverage", "embedding", "branches", "queries", "memory"):
        assert f"  {word}" in printed.stdout
    assert (
        json.loads(run("stats", str(shop), "--json").stdout)["repository"]["files"]
        == (stats(client, shop)["repository"]["files"])
    )


def test_a_folder_without_an_index_has_no_figures(client: ServiceClient, tmp_path: Path) -> None:
    assert stats(client, tmp_path)["repository"]["coverage"] == {}
    assert "none: run `auto-context index`" in run("stats", str(tmp_path)).stdout


def test_prometheus_gets_the_same_figures(client: ServiceClient, shop: Path) -> None:
    files = stats(client, shop)["repository"]["files"]
    text = metrics()
    assert f'auto_context_files{{root="{shop}"}} {files}\n' in text
    assert f'auto_context_coverage_ratio{{root="{shop}",leg="vector"}} 1\n' in text
    assert "auto_context_searches_total " in text


def levels(body: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["level"] for check in body["checks"]}


def test_doctor_finds_every_part_in_order(client: ServiceClient, shop: Path) -> None:
    found = levels(client.request("GET", "/doctor", params={"root": str(shop)}))
    assert {name for name, level in found.items() if level not in ("ok", "info")} <= {"disk", "packages"}
    parts = {"python", "packages", "model", "static model", "embedder", "grammars", "git", "disk", "store", "branches"}
    assert found.keys() == parts
    assert "store" not in levels(client.request("GET", "/doctor"))
    printed = run("doctor", str(shop))
    assert printed.returncode == 0
    assert "ok      service: version" in printed.stdout
    git(shop, "switch", "-qc", "feature")
    index(client, shop)
    assert "ok      branches: used here and remembered: feature (now), main (now)" in run("doctor", str(shop)).stdout


def test_doctor_names_a_damaged_index_and_what_to_do(client: ServiceClient, tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    index(client, shop)
    client.stop()
    [store] = [
        mark.parent
        for mark in (paths.data_dir() / "stores").glob("*/identity.json")
        if json.loads(mark.read_text())["path"] == f"{shop}/.git"
    ]
    database = store / "sidecar/cache.db"
    with database.open("r+b") as file:
        file.seek(16)
        page = int.from_bytes(file.read(2), "big")
        for at in range(page, database.stat().st_size, 2 * page):  # where each other page begins
            file.seek(at)
            file.write(os.urandom(64))
    printed = run("doctor", str(shop))
    assert printed.returncode == 2
    assert "Traceback" not in printed.stdout + printed.stderr
    [line] = [line for line in printed.stdout.splitlines() if line.startswith("ERROR")]
    assert line.startswith("ERROR   store: ")
    assert "auto-context clear" in printed.stdout


@pytest.mark.parametrize("arguments", [["stats", "/nowhere/at/all"], ["doctor", ""]])
def test_a_wrong_folder_is_said(client: ServiceClient, arguments: list[str]) -> None:
    del client
    said = run(*arguments)
    assert said.returncode == 2
    assert "Traceback" not in said.stdout + said.stderr
    assert "(path_missing)" in said.stderr or "(bad_request)" in said.stderr
