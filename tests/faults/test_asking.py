"""What a person may ask for by mistake, by the command line and the service: paths, queries, options, odd names."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from auto_context.errors import AutoContextError
from auto_context.service.client import ServiceClient
from bad_input import command, write
from sharing import shared_sandbox
from support import follow_job, git, index, make_shop

LIMIT_S = 3.0
"""What the service may take for any question here."""
ROOT = b"caf\xe9\n'root'"
NAMES = (b"caf\xe9.py", b"new\nline.py", b"quo'te\".py", b"-dash.py", b"star*?.py", b"back\\slash.py", b"tab\t.py")


sandbox = shared_sandbox()


@pytest.fixture(scope="module")
def client(sandbox: dict[str, str]) -> ServiceClient:  # noqa: ARG001 - its order
    return ServiceClient()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, client: ServiceClient) -> Path:
    folder = make_shop(tmp_path_factory.mktemp("repository") / "shop")
    index(client, folder)
    return folder


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory, client: ServiceClient) -> Path:
    """A repository whose own name and whose files' names are no plain text."""
    folder = tmp_path_factory.mktemp("odd") / os.fsdecode(ROOT)
    write(folder, {os.fsdecode(name): f"def zebra_{at}():\n    return {at}\n" for at, name in enumerate(NAMES)})
    git(folder, "init", "-q", "-b", "main")
    index(client, folder)
    return folder


# Paths


@pytest.mark.parametrize("words", [["index"], ["status"], ["search", "x", "--root"], ["prune"]], ids=lambda w: w[0])
@pytest.mark.parametrize("kind", ["missing", "file", "loop", "device"])
def test_a_path_that_is_no_folder(client: ServiceClient, tmp_path: Path, words: list[str], kind: str) -> None:
    assert client
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    path = "/dev/null" if kind == "device" else str(tmp_path / kind)
    done = command(*words, path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"auto-context: {path} ")
    assert "(path_missing)\n  check the spelling" in done.stderr


@pytest.mark.parametrize("words", [["index"], ["status"], ["search", "x", "--root"], ["prune"]], ids=lambda w: w[0])
def test_an_empty_path_is_not_the_folder_we_stand_in(words: list[str], tmp_path: Path) -> None:
    done = command(*words, "", cwd=tmp_path)
    assert done.returncode == 2
    assert "the path is empty (bad_request)\n" in done.stderr


def test_a_path_outside_the_root(client: ServiceClient, shop: Path, tmp_path: Path) -> None:
    write(tmp_path, {"outside.py": "x = 1\n"})
    for path in ("/etc/passwd", str(tmp_path / "outside.py"), str(shop / ".." / ".." / "x.py")):
        done = command("context", f"{path}:1", "--root", str(shop))
        assert done.returncode == 2
        assert "(outside_root)\n  give a path inside" in done.stderr
        job = client.request("POST", "/index/incremental", body={"root": str(shop), "paths": [path]})["job"]
        assert follow_job(client, job)["error"]["code"] == "outside_root"


def test_an_empty_file_is_found_by_its_name(client: ServiceClient, tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", {"pkg/ostrich.py": "", "blank.py": "\n \n", "a.py": "def wren(): pass\n"})
    assert index(client, tree)["files"] == 3
    for query in ("ostrich", "pkg/ostrich.py", "ostrich.py:3"):
        hit = client.request("GET", "/search", params={"query": query, "root": str(tree)})["hits"][0]
        assert (hit["path"], hit["start_line"], hit["text"], hit["fresh"]) == ("pkg/ostrich.py", 1, "", True)
    done = command("similar", f"{tree}/pkg/ostrich.py:1")
    assert done.returncode == 2
    assert "is empty (path_missing)" in done.stderr


# Names that are no plain text


def test_a_root_and_files_of_any_name_are_searched(client: ServiceClient, odd: Path) -> None:
    params = {"query": "zebra", "root": str(odd), "limit": 50}
    hits = client.request("GET", "/search", params=params)["hits"]
    assert {os.fsencode(hit["path"]) for hit in hits} == set(NAMES)
    assert client.request("GET", "/status", params={"root": str(odd)})["repository"]["files"] == len(NAMES)
    printed = command("search", "zebra_0", "--root", str(odd), "--limit", "1")
    assert printed.stdout.startswith(os.fsdecode(NAMES[0]) + ":1-2")
    said = json.loads(command("search", "zebra_1", "--limit", "1", "--json", cwd=odd).stdout)
    assert (said["root"], said["hits"][0]["path"]) == (str(odd), os.fsdecode(NAMES[1]))


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_a_file_of_any_name_is_a_place_to_ask_about(client: ServiceClient, odd: Path, name: bytes) -> None:
    path = os.fsdecode(name)
    near = {"query": "zebra", "root": str(odd), "near": path, "path": "*.py"}
    assert client.request("GET", "/search", params=near)["hits"]
    similar = client.request("GET", "/similar", params={"path": path, "root": str(odd), "line": 1})
    assert {os.fsencode(hit["path"]) for hit in similar["hits"]} >= {*NAMES} - {name}
    items = client.request("POST", "/context", body={"path": path, "root": str(odd), "line": 1})["items"]
    assert items[0]["path"] == path
    with open(odd / path, "a", encoding="utf-8") as file:
        file.write("# more\n")
    job = client.request("POST", "/index/incremental", body={"root": str(odd), "paths": [str(odd / path)]})["job"]
    assert follow_job(client, job)["report"]["changed"] == 1
    # By a path of its own: a name may begin like an option.
    assert command("context", f"./{path}:1", cwd=odd).returncode == 0


# Queries


@pytest.mark.parametrize(
    "query",
    [
        "", " ", "\t\n", "!?&%$#@()[]{}<>|;:,.", "(" * 90_000, "*" * 100_000, "?" * 100_000, "\0", '"', '""', "/(/",
        "//", "-", "--", "path:", "path:[", "path:! x", "path:*[", "lang:nosuch x", "kind:nosuch", "since:0-0",
        "/(a+)+$/ x",
        "x" * 100_000, "word " * 20_000, "é" * 100_000, "\U0001f600" * 30_000, "a" + "\u0301" * 50_000,
    ],
    ids=lambda query: f"{query[:9]!r}-{len(query)}",
)  # fmt: skip
def test_any_query_is_answered_soon(client: ServiceClient, shop: Path, query: str) -> None:
    began = time.monotonic()
    reply = client.request("GET", "/search", params={"query": query, "root": str(shop)})
    assert time.monotonic() - began < LIMIT_S
    assert isinstance(reply["hits"], list)


def test_a_pattern_of_paths_that_is_none(client: ServiceClient, shop: Path) -> None:
    with pytest.raises(AutoContextError) as caught:
        client.request("GET", "/search", params={"query": "path:! x", "root": str(shop), "path": "!"})
    assert (caught.value.code, caught.value.message) == ("bad_request", "path: not a pattern: '!'")


def test_a_query_without_a_word_says_so(shop: Path) -> None:
    for query in ("", "  "):
        done = command("search", query, "--root", str(shop))
        assert (done.returncode, done.stdout, done.stderr) == (1, "", "no hits: the query has no word to look for\n")


def test_a_query_of_the_command_line_as_long_as_the_system_lets_it_be(shop: Path) -> None:
    # Linux gives one argument 128 kB.
    done = command("search", "retry " * 20_000, "--root", str(shop), "--limit", "1", "--wait-ms", "0")
    assert done.returncode == 0


def test_a_query_of_megabytes_is_refused(client: ServiceClient, shop: Path) -> None:
    with pytest.raises(AutoContextError) as caught:
        client.request("GET", "/search", params={"query": "x" * 2_000_000, "root": str(shop)})
    assert (caught.value.code, caught.value.hint) == ("bad_request", "ask with fewer words")


# Options


@pytest.mark.parametrize(
    ("language", "hint"),
    [
        ("pyhton", "did you mean 'python'?"),
        ("Javascrpt", "did you mean 'javascript'?"),
        ("qqqq", "give a name such as python, or an extension such as py"),
    ],
)
def test_an_unknown_language_is_named_with_the_nearest(shop: Path, language: str, hint: str) -> None:
    done = command("search", "retry", "--root", str(shop), "--language", language)
    assert done.returncode == 2
    assert done.stderr == f"auto-context: language: none is called {language!r} (bad_request)\n  {hint}\n"


@pytest.mark.parametrize("language", ["python", "Python", "py", "pyth"])
def test_a_language_may_be_an_extension_or_a_beginning(client: ServiceClient, shop: Path, language: str) -> None:
    params = {"query": "retry", "root": str(shop), "language": language}
    assert {hit["language"] for hit in client.request("GET", "/search", params=params)["hits"]} == {"python"}


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["search", "x", "--langauge", "python"], "did you mean --language?"),
        (["serach", "x"], "did you mean search?"),
        (["index", "--tier", "statik"], "did you mean static?"),
        (["search", "x", "--qqqq"], "check the option named in the message"),
        (["search", "x", "--limit", "many"], "check the option named in the message"),
        (["search"], "check the option named in the message"),
    ],
)
def test_an_unknown_option_or_command_is_named_with_the_nearest(words: list[str], hint: str) -> None:
    done = command(*words, "--json")
    assert done.returncode == 2
    assert done.stderr.startswith("usage: auto-context ")
    assert f"(bad_request)\n  {hint}" in done.stderr
    assert json.loads(done.stdout)["error"]["code"] == "bad_request"
