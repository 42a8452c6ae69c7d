"""Names and folders that are no plain text, and answers that are none of ours."""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from auto_context import paths
from auto_context.errors import AutoContextError
from auto_context.service.api import PROTOCOL
from auto_context.service.client import ServiceClient
from support import index, make_shop

NAME = b"caf\xe9_gull.py"
"""Latin-1: no UTF-8, and so no text to Python, yet a file name like any other."""


def run(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "auto_context", *arguments]
    variables = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, check=False, timeout=120, cwd=cwd, env=variables)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory, client: ServiceClient) -> Path:
    folder = make_shop(tmp_path_factory.mktemp("odd") / "shop")
    with open(os.fsencode(folder) + b"/" + NAME, "w", encoding="utf-8") as file:
        file.write("def gull():\n    return '→'\n")
    index(client, folder)
    return folder


def test_a_file_whose_name_is_no_text_is_found(odd: Path, client: ServiceClient) -> None:
    params = {"query": "gull", "root": str(odd), "wait_ms": 30_000}
    hit = client.request("GET", "/search", params=params)["hits"][0]
    assert os.fsencode(hit["path"]) == NAME
    done = run("search", "gull", "--root", str(odd), "--limit", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(NAME + b":1-")
    reply = json.loads(run("search", "gull", "--root", str(odd), "--json").stdout)
    assert os.fsencode(reply["hits"][0]["path"]) == NAME


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_terminal_that_cannot_show_a_character_gets_an_escape(
    odd: Path, client: ServiceClient, encoding: str
) -> None:
    assert client
    done = run("search", "gull", "--root", str(odd), "--limit", "1", PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert b"return '\\u2192'" in done.stdout


def test_a_query_that_is_no_text_and_an_endless_one_are_answered(odd: Path, client: ServiceClient) -> None:
    for query in ("\udcff\udcfe", "gull " * 10_000, "\0", " "):
        reply = client.request("GET", "/search", params={"query": query, "root": str(odd)})
        assert isinstance(reply["hits"], list)


@pytest.mark.parametrize("root", ["", ".", "relative/folder", "~"])
def test_a_root_that_depends_on_who_asks_is_refused(client: ServiceClient, root: str) -> None:
    for method, path, options in (
        ("GET", "/search", {"params": {"query": "x", "root": root}}),
        ("GET", "/status", {"params": {"root": root}}),
        ("POST", "/index/update", {"body": {"root": root}}),
        ("POST", "/index/incremental", {"body": {"root": root, "paths": []}}),
    ):
        with pytest.raises(AutoContextError) as caught:
            client.request(method, path, **options)
        assert caught.value.code == "bad_request"
        assert caught.value.message == "root: must be an absolute path"


def test_folders_given_relative_to_where_one_stands_work(tmp_path: Path) -> None:
    def here(action: str) -> subprocess.CompletedProcess[bytes]:
        return run("service", action, cwd=tmp_path, AUTO_CONTEXT_DATA_DIR="data", AUTO_CONTEXT_LOG_DIR="log")

    try:
        done = here("start")
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "log/service.log").is_file()
        again = here("status")
        assert again.stdout.split(b",")[1] == done.stdout.split(b",")[1]
    finally:
        assert here("stop").stdout == b"stopped\n"


def test_a_log_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log = str(tmp_path / "file/log")
    done = run("status", AUTO_CONTEXT_DATA_DIR=str(tmp_path / "data"), AUTO_CONTEXT_LOG_DIR=log)
    assert done.returncode == 2
    assert b"(unsafe_directory)" in done.stderr
    assert b"Traceback" not in done.stderr


def test_an_answer_that_is_no_json_is_a_coded_error(tmp_path: Path) -> None:
    stem = paths.runtime_dir() / paths.service_name(tmp_path, PROTOCOL)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{stem}.sock")
    listener.listen()

    def answer() -> None:
        connection: Any = listener.accept()[0]
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\nConnection: close\r\n\r\nno no")
        connection.close()

    thread = threading.Thread(target=answer)
    thread.start()
    with pytest.raises(AutoContextError) as caught:
        ServiceClient(tmp_path).request("GET", "/version", start=False)
    thread.join()
    listener.close()
    assert caught.value.code == "bad_request"
    assert "no no" in caught.value.message
