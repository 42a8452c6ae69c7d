"""The HTTP API: every route, and every way to ask wrongly."""

from pathlib import Path
from typing import Any

import pytest

from auto_context.errors import CODES, AutoContextError
from auto_context.service.client import ServiceClient
from support import follow_job, index

ROUTES = {
    ("get", "/search"),
    ("post", "/search"),
    ("post", "/nearby"),
    ("post", "/buffers"),
    ("get", "/similar"),
    ("post", "/context"),
    ("post", "/index/update"),
    ("post", "/index/incremental"),
    ("post", "/index/prune"),
    ("post", "/index/vacuum"),
    ("post", "/index/clear"),
    ("get", "/jobs/{number}"),
    ("delete", "/jobs/{number}"),
    ("get", "/status"),
    ("get", "/version"),
    ("get", "/config"),
    ("get", "/doctor"),
    ("get", "/stats"),
    ("get", "/metrics"),
    ("post", "/lease"),
    ("post", "/service/stop"),
}


def search(client: ServiceClient, root: Path, query: str, **options: Any) -> dict[str, Any]:
    return client.request("GET", "/search", params={"query": query, "root": str(root), "wait_ms": 30_000, **options})


def test_openapi_lists_every_route(client: ServiceClient) -> None:
    described = client.request("GET", "/openapi.json")["paths"]
    assert {(method, path) for path, methods in described.items() for method in methods} == ROUTES


def test_similar_and_context(client: ServiceClient, shop: Path) -> None:
    like = client.request("GET", "/similar", params={"root": str(shop), "path": "src/basket.py", "line": 12})
    assert "web/cart.ts" in [hit["path"] for hit in like["hits"]]
    body = {"root": str(shop), "path": "tests/test_uploads.py", "line": 5, "budget": 500}
    context = client.request("POST", "/context", body=body)
    assert context["tokens"] <= 500
    assert context["markdown"].count("### ") == len(context["items"])
    for wrong in ({"line": 0}, {"budget": 1}, {"column": 0}, {"root": "relative"}):
        with pytest.raises(AutoContextError) as caught:
            client.request("POST", "/context", body=body | wrong)
        assert caught.value.code == "bad_request"


def test_explain_and_files_first(client: ServiceClient, shop: Path) -> None:
    reply = search(client, shop, "RetryPolicy", explain="true", per_file=1, near="src/basket.py")
    assert reply["hits"][0]["explain"]["intent"] == "symbol"
    assert "near" in [step["step"] for step in reply["hits"][0]["explain"]["steps"]]


def test_search_finds_and_filters(client: ServiceClient, shop: Path) -> None:
    reply = search(client, shop, "auth flow")
    assert reply["hits"][0]["path"] == "src/accounts.py"
    assert set(reply) == {"query", "root", "branch", "took_ms", "legs", "coverage", "hits", "terms"}
    assert set(reply["hits"][0]) == {
        "path", "start_line", "end_line", "focus", "symbol", "kind", "language", "score", "legs", "fresh", "text",
        "last_commit",
    }  # fmt: skip
    assert {hit["language"] for hit in search(client, shop, "count", language="go")["hits"]} == {"go"}
    assert all(hit["path"].startswith("web/") for hit in search(client, shop, "basket", path="web/*")["hits"])
    assert len(search(client, shop, "basket", limit=1)["hits"]) == 1
    assert len(search(client, shop, "basket", threshold=1.0)["hits"]) == 1


def test_a_saved_file_is_found(client: ServiceClient, shop: Path) -> None:
    (shop / "src/heron.py").write_text("def heron():\n    '''A grey bird by the water.'''\n")
    job = client.request("POST", "/index/incremental", body={"root": str(shop), "paths": ["src/heron.py"]})["job"]
    body = follow_job(client, job)
    assert (body["kind"], body["state"], body["report"]["changed"]) == ("incremental", "done", 1)
    assert search(client, shop, "heron")["hits"][0]["path"] == "src/heron.py"


def test_jobs_report_and_end(client: ServiceClient, shop: Path) -> None:
    job = client.request("POST", "/index/update", body={"root": str(shop), "force": True})["job"]
    body = follow_job(client, job)
    assert body["progress"]["phase"] == "done"
    assert body["report"]["embedded_chunks"] == 0
    assert client.request("DELETE", f"/jobs/{job}")["state"] == "done"


def test_status(client: ServiceClient, shop: Path) -> None:
    body = client.request("GET", "/status", params={"root": str(shop)})
    assert body["repository"]["indexed"]
    assert body["repository"]["vectors"] == body["repository"]["chunks"]
    assert body["service"]["worker"] == "ready"
    assert body["service"]["rss_bytes"] > 0
    assert Path(body["service"]["log"]).is_file()
    assert client.request("GET", "/status")["repository"] is None


@pytest.mark.parametrize(
    ("method", "path", "options", "code"),
    [
        ("GET", "/search", {"params": {"query": "x"}}, "bad_request"),
        ("GET", "/search", {"params": {"query": "x", "root": "/", "limit": "many"}}, "bad_request"),
        ("GET", "/search", {"params": {"query": "x", "root": "/absent"}}, "path_missing"),
        ("GET", "/search", {"params": {"query": "x", "root": "/usr/bin"}}, "not_indexed"),
        ("POST", "/index/update", {"body": {}}, "bad_request"),
        ("POST", "/index/update", {"body": {"root": "/"}}, "too_large"),
        ("POST", "/index/incremental", {"body": {"root": "/absent", "paths": []}}, "path_missing"),
        ("POST", "/index/prune", {"body": {"root": "relative"}}, "bad_request"),
        ("POST", "/index/prune", {"body": {"root": "/absent"}}, "path_missing"),
        ("POST", "/index/prune", {"body": {"root": "/usr/bin"}}, "not_indexed"),
        ("GET", "/jobs/unknown", {}, "job_missing"),
        ("GET", "/nowhere", {}, "bad_request"),
        ("DELETE", "/search", {}, "bad_request"),
        ("POST", "/lease", {"body": {"client": "c", "ttl_s": -1}}, "bad_request"),
    ],
)
def test_faults_are_coded(client: ServiceClient, method: str, path: str, options: dict[str, Any], code: str) -> None:
    with pytest.raises(AutoContextError) as caught:
        client.request(method, path, **options)
    assert caught.value.code == code
    assert caught.value.message
    assert caught.value.hint
    assert code in CODES


def test_a_job_that_fails_says_why(client: ServiceClient, shop: Path) -> None:
    body = {"root": str(shop), "paths": ["../outside.py"]}
    ended = follow_job(client, client.request("POST", "/index/incremental", body=body)["job"])
    assert ended["state"] == "failed"
    assert ended["error"]["code"] == "outside_root"


def test_a_home_folder_is_confirmed_first(client: ServiceClient, home: dict[str, str]) -> None:
    with pytest.raises(AutoContextError) as caught:
        index(client, Path(home["HOME"]))
    assert caught.value.code == "too_large"


def test_leases_are_counted(client: ServiceClient) -> None:
    client.request("POST", "/lease", body={"client": "an-editor", "ttl_s": 60})
    assert client.request("GET", "/status")["service"]["leases"] == 1


def test_a_search_by_post_takes_a_list_of_files(client: ServiceClient, shop: Path) -> None:
    body = {"query": "basket", "root": str(shop), "paths": ["web/cart.ts"], "wait_ms": 30_000}
    assert {hit["path"] for hit in client.request("POST", "/search", body=body)["hits"]} == {"web/cart.ts"}
    for wrong in ({"tests": "some"}, {"limit": -1}, {"root": "relative"}):
        with pytest.raises(AutoContextError) as caught:
            client.request("POST", "/search", body=body | wrong)
        assert caught.value.code == "bad_request"


def test_files_before_a_word_is_typed(client: ServiceClient, shop: Path) -> None:
    reply = client.request("POST", "/nearby", body={"root": str(shop), "open": ["README.md"], "limit": 3})
    assert [hit["reason"] for hit in reply["hits"]] == ["open", "committed", "committed"]


def test_unsaved_buffers_last_as_long_as_their_client(client: ServiceClient, shop: Path) -> None:
    body = {"client": "me", "root": str(shop), "files": {"src/new.py": "def zebra_crossing():\n    pass\n"}}
    assert client.request("POST", "/buffers", body=body) == {"held": 1}
    asked = {"query": "zebra_crossing", "root": str(shop), "client": "me"}
    reply = client.request("POST", "/search", body=asked)
    assert (reply["held"], reply["hits"][0]["path"], reply["hits"][0]["unsaved"]) == (1, "src/new.py", True)
    client.request("POST", "/lease", body={"client": "me", "ttl_s": 0.001})
    client.request("GET", "/status")  # looks who is still there
    assert client.request("POST", "/search", body=asked)["held"] == 0
    for wrong in ({"client": ""}, {"files": {"../../x.py": "y"}}, {"files": {"x.py": 3}}):
        with pytest.raises(AutoContextError) as caught:
            client.request("POST", "/buffers", body=body | wrong)
        assert caught.value.code in ("bad_request", "outside_root")
