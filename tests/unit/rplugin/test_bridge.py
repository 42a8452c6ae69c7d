"""The bridge's own rules. What it says to the real service is tested from Neovim."""

import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from auto_context.errors import AutoContextError
from auto_context_nvim.bridge import Bridge, without_none
from auto_context_nvim.follow import Follower

LIMIT_S = 10.0
Answer = tuple[int, dict[str, str] | None, Any]


class Service(Bridge):
    """A bridge to a service that answers from a script, so that its faults can be chosen."""

    def __init__(self) -> None:
        self.answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self.events: queue.SimpleQueue[tuple[str, dict[str, Any]]] = queue.SimpleQueue()
        super().__init__(lambda *answer: self.answers.put(answer), lambda *event: self.events.put(event))
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.gate.set()

    def request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        self.asked.append((method, path, options))
        self.entered.set()
        assert self.gate.wait(LIMIT_S)
        if path.startswith("/jobs/"):
            return {"state": "done", "report": {"branch": "main", "changed": 1}, "error": None}
        if path.startswith("/index/"):
            return {"job": "7"}
        if options.get("body", {}).get("query") == "broken":
            raise ValueError("unexpected")
        if path == "/buffers":
            return {"held": len(options["body"]["files"])}
        return {"hits": [], "extra": None}


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("nonsense", {}),
        ("search", []),
        ("update", {}),
        ("update", {"root": 3}),
        ("incremental", {"root": ""}),
        ("job", {}),
    ],
)
def test_bad_requests_are_answered_with_a_code(method: str, params: Any) -> None:
    bridge = Service()
    bridge.call(1, method, params)
    request, error, result = bridge.answers.get(timeout=LIMIT_S)
    assert (request, result) == (1, None)
    assert error
    assert error["code"] == "bad_request"


def test_an_unexpected_fault_is_a_coded_answer_and_the_thread_lives(capfd: pytest.CaptureFixture[str]) -> None:
    bridge = Service()
    for request in (1, 2, 3):
        bridge.call(request, "search", {"query": "broken", "root": "/"})
        answered, error, _ = bridge.answers.get(timeout=LIMIT_S)
        assert error
        assert (answered, error["code"]) == (request, "internal")
    bridge.call(4, "search", {"query": "fine", "root": "/"})
    assert bridge.answers.get(timeout=LIMIT_S) == (4, None, {"hits": []})
    assert "ValueError: unexpected" in capfd.readouterr().err


def test_a_cancelled_search_is_never_asked() -> None:
    bridge = Service()
    bridge.gate.clear()
    for request in (1, 2):  # both threads of the lane are busy
        bridge.call(request, "search", {"query": "a", "root": "/"})
    bridge.call(3, "search", {"query": "superseded", "root": "/"})
    bridge.call(4, "search", {"query": "last", "root": "/"})
    bridge.cancel(3)
    bridge.gate.set()
    assert {bridge.answers.get(timeout=LIMIT_S)[0] for _ in range(3)} == {1, 2, 4}
    assert "superseded" not in [options["body"]["query"] for _, _, options in bridge.asked]


def test_a_search_that_waits_never_holds_up_one_that_does_not() -> None:
    bridge = Service()
    bridge.gate.clear()
    for request in (1, 2, 3):
        bridge.call(request, "search", {"query": "slow", "root": "/", "wait_ms": 2000})
    assert bridge.entered.wait(LIMIT_S)
    bridge.entered.clear()
    bridge.call(4, "search", {"query": "quick", "root": "/"})
    assert bridge.entered.wait(LIMIT_S)
    bridge.gate.set()
    assert {bridge.answers.get(timeout=LIMIT_S)[0] for _ in range(4)} == {1, 2, 3, 4}


def test_saves_that_wait_become_one_job_and_each_is_answered() -> None:
    bridge = Service()
    bridge.gate.clear()
    bridge.call(1, "status", {"root": "/a"})  # the lane is busy
    assert bridge.entered.wait(LIMIT_S)
    bridge.call(2, "incremental", {"root": "/a", "paths": ["x", "y"]})
    bridge.call(3, "incremental", {"root": "/a", "paths": ["y", "z"]})
    bridge.gate.set()
    answers = [bridge.answers.get(timeout=LIMIT_S) for _ in range(3)]
    assert answers[1:] == [(2, None, {"job": "7"}), (3, None, {"job": "7"})]
    posted = [options["body"] for _, path, options in bridge.asked if path == "/index/incremental"]
    assert posted == [{"root": "/a", "paths": ["x", "y", "z"]}]
    name, event = bridge.events.get(timeout=LIMIT_S)
    assert (name, event["root"], event["job"], event["kind"]) == ("indexed", "/a", "7", "incremental")


def test_a_job_lost_with_its_service_is_handed_in_again() -> None:
    faults = ["service_unreachable", "job_missing"]
    submitted = []
    events: queue.SimpleQueue[tuple[str, dict[str, Any]]] = queue.SimpleQueue()

    def request(_method: str, path: str, **_options: Any) -> dict[str, Any]:
        if faults:
            raise AutoContextError(faults.pop(0), "gone")
        return {"state": "done", "report": {"branch": "main", "path": path}}

    def submit() -> dict[str, Any]:
        submitted.append(1)
        return {"job": f"again-{len(submitted)}"}

    Follower(request, lambda *event: events.put(event)).follow("first", "update", "/r", submit)
    name, event = events.get(timeout=LIMIT_S)
    assert (name, event["job"], event["report"]["path"]) == ("indexed", "first", "/jobs/again-2")


def test_a_job_that_stays_lost_ends_with_an_error() -> None:
    events: queue.SimpleQueue[tuple[str, dict[str, Any]]] = queue.SimpleQueue()

    def request(*_arguments: Any, **_options: Any) -> dict[str, Any]:
        raise AutoContextError("service_unreachable", "gone")

    Follower(request, lambda *event: events.put(event)).follow("first", "update", "/r", lambda: {"job": "2"})
    assert events.get(timeout=LIMIT_S)[1]["error"]["code"] == "service_unreachable"


def test_progress_is_told_at_most_four_times_a_second() -> None:
    events: list[str] = []
    ended = threading.Event()
    left = 20

    def request(*_arguments: Any, **_options: Any) -> dict[str, Any]:
        nonlocal left
        left -= 1
        state = "running" if left else "done"
        return {"state": state, "progress": {"percent": float(left), "eta_s": None}, "report": {"branch": "main"}}

    def tell(name: str, data: dict[str, Any]) -> None:
        assert None not in data.values()
        events.append(name)
        if name == "indexed":
            ended.set()

    Follower(request, tell).follow("job", "update", "/r", lambda: {"job": "job"})
    assert ended.wait(LIMIT_S)
    assert 2 <= events.count("progress") <= 8
    assert events[-1] == "indexed"


def test_nothing_is_sent_for_none() -> None:
    assert without_none({"a": None, "b": [{"c": None, "d": 0}], "e": ""}) == {"b": [{"d": 0}], "e": ""}


def test_the_import_is_light() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import auto_context_nvim; "
        "print([name for name in ('numpy', 'torch', 'faiss', 'fastapi', 'http.client') if name in sys.modules])"
    )
    folder = Path(__file__).resolve().parents[3] / "rplugin/python3"
    run = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("method", "verb", "path", "where"),
    [
        ("search", "POST", "/search", "body"),
        ("nearby", "POST", "/nearby", "body"),
        ("similar", "GET", "/similar", "params"),
        ("context", "POST", "/context", "body"),
        ("status", "GET", "/status", "params"),
    ],
)
def test_what_only_asks_goes_to_its_route(method: str, verb: str, path: str, where: str) -> None:
    bridge = Service()
    bridge.call(1, method, {"root": "/r"})
    assert bridge.answers.get(timeout=LIMIT_S)[1] is None
    assert bridge.asked == [(verb, path, {where: {"root": "/r"}})]


def test_an_update_says_what_is_open() -> None:
    bridge = Service()
    bridge.call(1, "update", {"root": "/r", "open_paths": ["/r/b", "/r/a"]})
    bridge.call(2, "update", {"root": "/r", "confirmed": True})
    for request in (1, 2):
        assert bridge.answers.get(timeout=LIMIT_S) == (request, None, {"job": "7"})
    bodies = [options["body"] for _, path, options in bridge.asked if path == "/index/update"]
    assert bodies == [
        {"root": "/r", "force": False, "confirmed": False, "open_paths": ["/r/b", "/r/a"]},
        {"root": "/r", "force": False, "confirmed": True, "open_paths": []},
    ]


def test_a_search_waits_for_the_buffers_sent_before_it_and_names_its_editor() -> None:
    bridge = Service()
    bridge.gate.clear()
    bridge.call(1, "buffers", {"root": "/r", "files": {"/r/a.py": "x", "/r/b.py": False}})
    bridge.call(2, "search", {"query": "q", "root": "/r"})
    bridge.call(3, "search", {"query": "elsewhere", "root": "/s"})
    assert bridge.entered.wait(LIMIT_S)
    bridge.gate.set()
    assert {bridge.answers.get(timeout=LIMIT_S)[0] for _ in range(3)} == {1, 2, 3}
    asked = [(path, options["body"]) for _, path, options in bridge.asked if path in ("/buffers", "/search")]
    me = asked[0][1]["client"]
    assert asked[0] == ("/buffers", {"client": me, "root": "/r", "files": {"/r/a.py": "x", "/r/b.py": None}})
    # The service said that it holds nothing: it began anew, is told again, and asked again.
    of_root = [(path, body.get("files"), body["client"]) for path, body in asked[1:] if body["root"] == "/r"]
    assert of_root == [("/search", None, me), ("/buffers", {"/r/a.py": "x"}, me), ("/search", None, me)]
    assert [body for _, body in asked if body["root"] == "/s"] == [{"query": "elsewhere", "root": "/s"}]
