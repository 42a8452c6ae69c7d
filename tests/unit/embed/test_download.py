"""A model by its name on the hub, from a hub on this machine."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from auto_context.embed.backend import load
from auto_context.embed.download import fetch_steps
from auto_context.embed.encoder import Encoder
from auto_context.embed.model import BUNDLED, load_spec, locate_model
from auto_context.errors import AutoContextError
from hub import COMMIT, Hub, serving

MakeModel = Callable[..., Path]
NAME = "org/tiny"


@pytest.fixture
def hub(make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    prompts = {"prompts": {"query": "query : "}}
    folder = make_model(files={"config_sentence_transformers.json": prompts})
    for extra in ("pytorch_model.bin", "README.md", "modeling.py", "onnx/model.onnx", "onnx/config.json"):
        (folder / extra).parent.mkdir(exist_ok=True)
        (folder / extra).write_bytes(b"not wanted")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # as in the worker
    with serving({NAME: folder}) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


def fetched(name: str) -> tuple[Path, list[tuple[int, int]]]:
    """The folder, and the progress."""
    seen, steps = [], fetch_steps(name)
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as end:
            return end.value, seen


def refused(name: str) -> AutoContextError:
    with pytest.raises(AutoContextError) as caught:
        fetched(name)
    return caught.value


def test_a_model_is_fetched_once_with_progress_and_only_what_is_read(hub: Hub, tmp_path: Path) -> None:
    folder, seen = fetched(NAME)
    assert folder == locate_model(NAME)
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names == {
        *("1_Pooling/config.json", "config.json", "config_sentence_transformers.json", "model.safetensors"),
        *("modules.json", "tokenizer.json"),
    }
    counts = [done for done, _ in seen]
    assert counts == sorted(counts)
    assert seen[-1][0] == seen[-1][1] == sum((folder / name).stat().st_size for name in names)
    spec = load_spec(folder, tmp_path)
    assert (spec.name, spec.query_prompt) == (NAME, "query : ")
    assert Encoder(spec, load(spec, tmp_path, "torch", "fp32")).encode(["red"], "query").shape == (1, 32)
    before = len(hub.asked)
    assert fetched(NAME) == (folder, [])
    assert len(hub.asked) == before


def interrupted(hub: Hub) -> Path:
    """Fetch until some of the weights are on disk and kill it there; the partial file."""
    hub.stall_after = (hub.models[NAME] / "model.safetensors").stat().st_size // 2
    blobs = hub.models[NAME].parent / "hub/models--org--tiny/blobs"
    steps = fetch_steps(NAME)
    for _ in steps:
        if any(path.stat().st_size for path in blobs.glob("*.partial")):
            break
    steps.close()  # which kills the process
    hub.stall_after = None
    with pytest.raises(AutoContextError):
        locate_model(NAME)  # half a model is none
    return next(blobs.glob("*.partial"))


def test_an_interrupted_download_goes_on_where_it_ended(hub: Hub) -> None:
    whole = (hub.models[NAME] / "model.safetensors").read_bytes()
    partial = interrupted(hub)
    have = partial.stat().st_size
    folder, seen = fetched(NAME)
    assert (folder / "model.safetensors").read_bytes() == whole
    assert hub.fetched("model.safetensors") == ["", f"bytes={have}-"]
    assert seen[-1][0] == seen[-1][1]
    assert not partial.exists()


def test_damaged_weights_are_thrown_away(hub: Hub) -> None:
    whole = (hub.models[NAME] / "model.safetensors").read_bytes()
    partial = interrupted(hub)
    partial.write_bytes(b"x" * partial.stat().st_size)
    assert refused(NAME).code == "download_failed"
    assert (fetched(NAME)[0] / "model.safetensors").read_bytes() == whole


def test_a_name_nobody_has_is_missing(hub: Hub) -> None:
    error = refused("org/absent")
    assert error.code == "model_missing"
    assert "org/absent" in error.message
    assert refused("absent").code == "model_missing"
    assert any("/api/models/sentence-transformers/absent" in path for _, path, _ in hub.asked)


def test_pickles_are_not_fetched(hub: Hub) -> None:
    (hub.models[NAME] / "model.safetensors").unlink()
    assert refused(NAME).code == "model_invalid"
    assert not hub.fetched("pytorch_model.bin")


def test_without_a_network_it_says_so_within_seconds(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    began = time.monotonic()
    error = refused(NAME)
    assert error.code == "download_failed"
    assert time.monotonic() - began < 30
    assert not hub.asked


@pytest.mark.parametrize("name", [BUNDLED, f"sentence-transformers/{BUNDLED}"])
def test_the_bundled_model_is_never_asked_for(hub: Hub, name: str) -> None:
    assert fetched(name) == (locate_model(name), [])
    assert not hub.asked


@pytest.mark.parametrize("name", ["./here", "/no/such/folder", "a/b/c", "", "../up"])
def test_what_is_no_name_is_never_asked_for(hub: Hub, name: str) -> None:
    assert refused(name).code == "model_missing"
    assert not hub.asked


def test_a_snapshot_that_is_here_needs_no_hub(hub: Hub, tmp_path: Path) -> None:
    repository = tmp_path / "hub/models--org--other"
    shutil.copytree(hub.models[NAME], repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(COMMIT)
    assert fetched("org/other")[0] == repository / "snapshots" / COMMIT
    assert not hub.asked
