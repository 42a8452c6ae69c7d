"""What leaves the service: neither an answer nor a log has a secret of a file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from auto_context.service.client import ServiceClient
from support import index

TOKEN = "gl" + "pat-" + "Xw7Vb5Nm3Zq9" * 2


def run(*arguments: str) -> str:
    command = [sys.executable, "-m", "auto_context", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return done.stdout + done.stderr


def test_no_answer_and_no_file_has_a_secret(client: ServiceClient, home: dict[str, str], shop: Path) -> None:
    (shop / "publish.py").write_text(f"def publish_quokka(api):\n    api.token = '{TOKEN}'\n    return api.push()\n")
    assert index(client, shop)["redacted"] == {"files": 1, "secrets": 1}
    place = str(shop / "publish.py")
    answers = [
        run("search", "publish_quokka", "--root", str(shop)),
        run("search", "publish_quokka", "--root", str(shop), "--json", "--explain"),
        run("context", f"{place}:2"),
        run("context", f"{place}:2", "--json"),
        run("similar", f"{place}:2", "--json"),
        run("status", str(shop)),
        run("index", str(shop), "--force"),
        json.dumps(client.request("GET", "/search", params={"root": str(shop), "query": "publish_quokka"})),
        run("context", f"{place}:0"),
    ]
    assert not [answer for answer in answers if TOKEN in answer]
    for answer in answers[:4]:
        assert "[redacted token]" in answer
    for answer in answers[5:7]:
        assert "a marker stands for 1 secrets in 1 files" in answer
    files = [file for file in Path(home["HOME"]).rglob("*") if file.is_file()]
    assert any(file.suffix == ".log" for file in files)
    assert not [file for file in files if TOKEN.encode() in file.read_bytes()]
