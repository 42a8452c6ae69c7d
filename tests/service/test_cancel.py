"""A job that is cancelled stops at once, whatever it is at."""

import time
from pathlib import Path

import pytest

from auto_context.service.client import ServiceClient
from support import follow_job, make_large, wait_until

AT_ONCE_S = 2.0
"""Ten times what is promised, for a machine that runs other tests; what is cancelled would take many times longer."""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_large(tmp_path_factory.mktemp("repository") / "large", 400)


@pytest.mark.parametrize("phase", ["scan", "chunk", "embed"])
def test_a_running_job_stops_at_once(client: ServiceClient, large: Path, phase: str) -> None:
    job = client.request("POST", "/index/update", body={"root": str(large), "force": True})["job"]
    order = ["scan", "chunk", "static", "embed", "done"]

    def reached() -> bool:
        now = client.request("GET", f"/jobs/{job}", params={"wait_ms": 50})["progress"]["phase"]
        return order.index(now) >= order.index(phase)

    wait_until(reached, 120)
    began = time.monotonic()
    client.request("DELETE", f"/jobs/{job}")
    body = follow_job(client, job)
    assert time.monotonic() - began < AT_ONCE_S
    assert (body["state"], body["error"]["code"]) == ("cancelled", "cancelled")
    assert body["progress"]["phase"] != "done"


def test_what_was_given_up_is_not_embedded_behind(client: ServiceClient, large: Path, shop: Path) -> None:
    job = client.request("POST", "/index/update", body={"root": str(large)})["job"]
    wait_until(lambda: client.request("GET", f"/jobs/{job}")["progress"]["tokens_per_s"] > 0, 120)
    client.request("DELETE", f"/jobs/{job}")
    assert follow_job(client, job)["state"] == "cancelled"
    # A save of another repository would have to wait for it.
    (shop / "src/heron.py").write_text("def heron():\n    '''A grey bird by the water.'''\n")
    began = time.monotonic()
    saved = client.request("POST", "/index/incremental", body={"root": str(shop), "paths": ["src/heron.py"]})["job"]
    assert follow_job(client, saved)["report"]["embedded_chunks"] == 1
    assert time.monotonic() - began < AT_ONCE_S
