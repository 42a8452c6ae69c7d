"""The command line as a person and a script use it."""

import argparse
import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from auto_context.cli import answers
from auto_context.cli.progress import progress_text
from auto_context.config import Settings
from auto_context.service.client import ServiceClient
from support import index, make_shop, wait_until

COMMAND = [sys.executable, "-m", "auto_context"]
# Whoever runs the tests in the background has Ctrl-C ignored, and children inherit that.
HEARS_CTRL_C = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
)


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=120, **options)


def test_hits_none_and_errors_have_their_exit_status(shop: Path) -> None:
    found = run("search", "RetryPolicy", "--root", str(shop))
    assert found.returncode == 0
    assert re.match(r"src/uploads\.py:\d+-\d+  RetryPolicy", found.stdout)
    assert "\033" not in found.stdout
    none = run("search", "RetryPolicy", "--root", str(shop), "--path", "absent/*")
    assert (none.returncode, none.stdout, none.stderr) == (1, "", "no hits\n")
    wrong = run("search", "RetryPolicy", "--root", "/absent")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("auto-context: /absent does not exist (path_missing)\n")
    assert "Traceback" not in wrong.stderr


def test_json_has_the_documented_keys(shop: Path) -> None:
    reply = json.loads(run("search", "basket", "--root", str(shop), "--json", "--limit", "3").stdout)
    assert list(reply) == ["query", "root", "branch", "took_ms", "legs", "coverage", "hits", "terms"]
    assert set(reply["legs"]) == {"lexical", "path", "static", "vector"}
    assert len(reply["hits"]) == 3
    assert list(reply["hits"][0]) == [
        "path", "start_line", "end_line", "focus", "symbol", "kind", "language", "score", "legs", "fresh", "text",
        "last_commit",
    ]  # fmt: skip


def test_errors_are_json_when_json_was_asked_for() -> None:
    done = run("index", "/absent", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "path_missing"


def test_options_narrow_the_search(shop: Path) -> None:
    reply = json.loads(run("search", "count", "--root", str(shop), "--json", "--language", "go").stdout)
    assert {hit["language"] for hit in reply["hits"]} == {"go"}
    best = json.loads(run("search", "count", "--root", str(shop), "--json", "--threshold", "1").stdout)
    assert len(best["hits"]) == 1
    inside = json.loads(run("search", "basket", "--json", cwd=shop / "web").stdout)
    assert inside["root"] == str(shop / "web")
    assert all("/" not in hit["path"] for hit in inside["hits"])


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["search"],
        ["search", "x", "--limit", "0"],
        ["search", "x", "--limit", "many"],
        ["search", "x", "--threshold", "2"],
        ["search", "x", "--unknown"],
        ["search", "x", "--threshold", "-0.1"],
        ["search", "x", "--wait-ms", "1.5"],
        ["service", "dance"],
    ],
)
def test_wrong_usage_is_status_2_without_a_traceback(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert "usage:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["search", "x", "--limti", "3"], "did you mean --limit?"),
        (["search", "x", "--treshold=1"], "did you mean --threshold?"),
        (["search", "x", "--limit", "0"], "argument --limit: must be a whole number from 1 to 200, not '0'"),
        (["serch", "x"], "did you mean search?"),
    ],
)
def test_what_is_unknown_is_given_its_nearest(arguments: list[str], said: str) -> None:
    assert said in run(*arguments).stderr


def test_how_long_to_wait_comes_from_the_file_unless_it_is_said(home: dict[str, str]) -> None:
    folder = Path(home["AUTO_CONTEXT_CONFIG_DIR"])
    folder.mkdir(exist_ok=True)
    (folder / "auto-context.toml").write_text("wait_ms = 50\n")
    options = argparse.Namespace(limit=None, threshold=None, wait_ms=None)
    try:
        assert answers._chosen(options, "limit", "threshold", "wait_ms") == {
            "limit": 20, "threshold": 0.0, "wait_ms": 50
        }  # fmt: skip
        options.wait_ms = 0
        assert answers._chosen(options, "wait_ms") == {"wait_ms": 0}
    finally:
        (folder / "auto-context.toml").unlink()


def test_a_folder_that_was_never_indexed_is_indexed_first(tmp_path: Path, client: ServiceClient) -> None:
    assert client
    folder = make_shop(tmp_path / "fresh")
    done = run("search", "RetryPolicy", "--root", str(folder), "--limit", "1")
    assert done.returncode == 0
    assert done.stdout.startswith("src/uploads.py")
    assert "is not indexed yet" in done.stderr


def test_index_and_status_tell_what_they_did(shop: Path) -> None:
    report = json.loads(run("index", str(shop), "--json").stdout)
    assert (report["branch"], report["embedded_chunks"]) == ("main", 0)
    assert f"{report['files']} files" in run("index", str(shop)).stdout
    assert "100% embedded" in run("status", str(shop)).stdout
    assert json.loads(run("status", str(shop), "--json").stdout)["repository"]["indexed"]
    assert "worker" in run("service", "status").stdout


def test_status_tells_the_coverage_of_each_leg_and_the_memory_taken(shop: Path) -> None:
    said = run("status", str(shop)).stdout
    assert "by static vectors 100%, by the transformer's 100%" in said
    assert re.search(r"\d+ of 1500 MB taken", said)


def test_doctor_tells_versions_models_the_service_stores_and_limits(shop: Path, client: ServiceClient) -> None:
    body = json.loads(run("doctor", "--json").stdout)
    parts = {"client", "service", "python", "packages", "model", "static", "embedder", "stores", "settings", "checks"}
    assert parts == set(body)
    assert (body["model"]["name"], body["model"]["dim"]) == ("all-MiniLM-L6-v2", 384)
    assert body["static"]["ready"]
    chosen = body["embedder"]
    assert (chosen["backend"], chosen["by"]) in {("torch", "measurement"), ("openvino", "measurement")}
    assert min(item["cosine"] for item in chosen["candidates"] if item["backend"] == chosen["backend"]) > 0.999
    assert body["service"]["pid"] == client.request("GET", "/version")["pid"]
    assert body["settings"]["memory_mb"] == 1500
    store = next(store for store in body["stores"] if store["path"] == str(shop / ".git"))
    assert store["bytes"] > 10_000
    said = run("doctor")
    assert said.returncode == 0
    for line in ("model all-MiniLM-L6-v2, 384 dimensions", "static model, 256 dimensions", "embedder "):
        assert line in said.stdout
    assert f"of {shop / '.git'} in" in said.stdout


def test_doctor_tells_what_is_wrong_with_the_settings_and_the_model(tmp_path: Path) -> None:
    said_of = {"config_invalid": "(config_invalid)", "model_missing": "ERROR   model: absent: "}
    for number, (text, code) in enumerate((("memory_mb = 0", "config_invalid"), ('model = "absent"', "model_missing"))):
        config = tmp_path / str(number) / "config"
        config.mkdir(parents=True)
        (config / "auto-context.toml").write_text(text)
        variables = {"AUTO_CONTEXT_CONFIG_DIR": str(config), "AUTO_CONTEXT_DATA_DIR": str(tmp_path / str(number))}
        try:
            said = run("doctor", env={**os.environ, **variables})
        finally:
            run("service", "stop", env={**os.environ, **variables})
        assert said.returncode == 2
        assert said_of[code] in said.stdout + said.stderr
        assert f"config {config}" in said.stdout


def test_config_tells_what_is_in_effect_and_where_it_came_from(shop: Path, home: dict[str, str]) -> None:
    (shop / ".auto-context.toml").write_text('exclude = ["web/"]\nmodel = "mine"\n')
    variables = {**os.environ, "AUTO_CONTEXT_LIMIT": "7", "AUTO_CONTEXT_KEEP_DAYS": "3", "AUTO_CONTEXT_LIMTI": "7"}
    try:
        done = run("config", str(shop / "src"), "--json", env=variables)
        plain = run("config", str(shop), env=variables)
    finally:
        (shop / ".auto-context.toml").unlink()
    body = json.loads(done.stdout)
    assert list(body["settings"]) == list(Settings.__dataclass_fields__)
    assert body["settings"]["limit"] == {"value": 7, "from": "AUTO_CONTEXT_LIMIT"}
    assert body["settings"]["exclude"] == {"value": ["web/"], "from": str(shop / ".auto-context.toml")}
    assert body["settings"]["keep_days"] == {"value": 30, "from": "default"}
    assert body["file"] == f"{home['AUTO_CONTEXT_CONFIG_DIR']}/auto-context.toml"
    said = [warning["message"] for warning in body["warnings"]]
    assert [any(text in one for one in said) for text in ("may not set model", "LIMTI", "KEEP_DAYS")] == [True] * 3
    assert re.search(r'^exclude +\["web/"\] +/.*/\.auto-context\.toml$', plain.stdout, re.MULTILINE)
    assert "did you mean 'AUTO_CONTEXT_LIMIT'?" in plain.stderr


def test_options_win_over_the_environment_and_it_over_the_default(shop: Path) -> None:
    def count(*arguments: str, **variables: str) -> int:
        done = run("search", "basket", "--root", str(shop), "--json", *arguments, env={**os.environ, **variables})
        return len(json.loads(done.stdout)["hits"])

    assert count() > 3
    assert count(AUTO_CONTEXT_LIMIT="3") == 3
    assert count("--limit", "2", AUTO_CONTEXT_LIMIT="3") == 2
    assert count(AUTO_CONTEXT_THRESHOLD="1") == 1
    wrong = run("search", "basket", "--root", str(shop), env={**os.environ, "AUTO_CONTEXT_LIMIT": "many"})
    assert (wrong.returncode, "AUTO_CONTEXT_LIMIT: limit must be" in wrong.stderr) == (2, True)


def test_prune_and_vacuum_tell_what_went(shop: Path) -> None:
    reply = json.loads(run("prune", str(shop), "--dry-run", "--json").stdout)
    assert reply["dry_run"]
    assert list(reply["repositories"][0]) == ["path", "versions", "vectors", "branches", "bytes", "busy", "removed"]
    done = run("prune", str(shop))
    assert (done.returncode, done.stdout) == (
        0, f"{shop}/.git: 0 versions, 0 vectors and 0 branches went, 0.0 MiB\n"
    )  # fmt: skip
    assert "would go" in run("prune", "--dry-run").stdout
    assert f"{shop}/.git: " in run("vacuum").stdout
    [item] = [one for one in json.loads(run("vacuum", "--json").stdout)["repositories"] if str(shop) in one["path"]]
    assert item["before"] >= item["after"] > 0
    wrong = run("prune", "/usr/bin")
    assert (wrong.returncode, "(not_indexed)" in wrong.stderr) == (2, True)


def test_clear_asks_and_deletes_the_index_of_a_folder(tmp_path: Path, shop: Path, client: ServiceClient) -> None:
    other = make_shop(tmp_path / "other")
    index(client, other)
    refused = run("clear", str(other))
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"{other}/.git: ")
    assert "nothing was deleted (cancelled)" in refused.stderr
    done = run("clear", "--yes", cwd=other / "src")
    assert (done.returncode, done.stdout.startswith(f"{other}/.git: deleted, ")) == (0, True)
    assert run("clear", str(other), "--yes").stdout == "nothing is indexed\n"
    assert run("clear", str(other), "--all").returncode == 2
    found = run("clear", "--all")
    assert (found.returncode, f"{shop}/.git: " in found.stderr) == (2, True)


def test_clear_cancels_what_is_being_indexed(tmp_path: Path, client: ServiceClient) -> None:
    folder = tmp_path / "slow"
    folder.mkdir()
    for number in range(300):
        (folder / f"{number}.py").write_text(f"def function_{number}():\n    return {number} * 'some text to embed'\n")
    job = client.request("POST", "/index/update", body={"root": str(folder)})["job"]
    wait_until(lambda: client.request("GET", f"/jobs/{job}")["progress"]["phase"] == "embed")
    (item,) = json.loads(run("clear", str(folder), "--yes", "--json").stdout)["repositories"]
    assert not item["busy"]
    assert client.request("GET", f"/jobs/{job}")["state"] == "cancelled"
    assert not client.request("GET", "/status", params={"root": str(folder)})["repository"]["indexed"]


def test_a_reader_that_has_enough_is_no_error(shop: Path) -> None:
    line = f"'{sys.executable}' -m auto_context search basket --root '{shop}' | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr == ""


def test_the_progress_line_shows_files_chunks_percent_and_time_left() -> None:
    base = {
        "files_done": 3,
        "files_total": 9,
        "chunks_done": 0,
        "chunks_total": 40,
        "percent": 6.7,
        "eta_s": None,
        "tokens_per_s": 0,
        "paused": "",
    }
    assert progress_text({**base, "phase": "chunk"}) == "reading 3/9 files, 40 chunks, 7%"
    assert progress_text({**base, "phase": "static"}) == "making static vectors of 40 chunks, 7%"
    embedding = {**base, "phase": "embed", "chunks_done": 20, "percent": 60.0, "eta_s": 200.0, "tokens_per_s": 9001}
    assert progress_text(embedding) == "embedding 20/40 chunks, 9 files read, 60%, 9001 tokens/s, 3 min left"
    paused = "embedding 20/40 chunks, 9 files read, 60%, paused: on battery"
    assert progress_text({**embedding, "paused": "battery"}) == paused


def test_a_terminal_sees_one_progress_line_and_ctrl_c_cancels(tmp_path: Path, client: ServiceClient) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    for number in range(1500):
        (folder / f"{number}.py").write_text(f"def function_{number}():\n    return {number} * 'some text to embed'\n")
    leader, follower = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", HEARS_CTRL_C, *COMMAND, "index", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=follower,
    )
    os.close(follower)
    seen = b""
    while b"embedding" not in seen:
        seen += os.read(leader, 4096)
    child.send_signal(signal.SIGINT)
    assert child.wait(30) == 130
    os.close(leader)
    if child.stdout:
        child.stdout.close()
    assert re.search(rb"\r\x1b\[Kembedding \d+/1500 chunks, 1500 files read, \d+%", seen)
    wait_until(lambda: client.request("GET", "/status", params={"root": str(folder)})["job"] is None)
    assert client.request("GET", "/status", params={"root": str(folder)})["repository"]["vectors"] < 1500


def test_nothing_heavy_is_imported() -> None:
    code = "import sys, auto_context.cli; print(' '.join(m.split('.')[0] for m in sys.modules))"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & {"numpy", "torch", "faiss", "fastapi", "uvicorn", "tantivy", "diskcache", "msgpack", "pydantic"}
