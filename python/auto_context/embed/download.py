"""A model of the Hugging Face hub into the local cache: only what is read of it, continued after an interruption.

``fetch_steps`` runs ``python -m auto_context.embed.download NAME`` and reads its lines. A process of its own: this one
tells every library to stay offline, and huggingface_hub has no place in the memory of a worker.

Hub and cache are huggingface_hub's (HF_ENDPOINT, HF_HUB_CACHE, HF_TOKEN count). It continues a broken download only
while its process lives, so what is large comes through a partial file of ours, kept beside the blobs by its checksum.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from auto_context.embed.model import hub_names, is_bundled, locate_model
from auto_context.errors import AutoContextError

_READ = re.compile(
    r"(?:\d+_\w+/)?(?:config|tokenizer|tokenizer_config|modules|sentence_bert_config|config_sentence_transformers"
    r"|model\.safetensors\.index)\.json"
)
"""Of a repository, what ``embed.model`` and transformers read of a model; weights besides."""
_WEIGHTS = re.compile(r"(?:\d+_\w+/)?model(?:-\d+-of-\d+)?\.safetensors")
_ONLINE = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_XET": "1",  # plain requests, which continue at any byte
    "HF_HUB_ETAG_TIMEOUT": "5",
    "HF_HUB_DOWNLOAD_TIMEOUT": "10",
}
_ASK_TIMEOUT_S = 5.0
_CHUNK_BYTES = 1 << 14
_TELL_EVERY = 1 << 20
_POLL_S = 0.2


def fetch_steps(name: str) -> Generator[tuple[int, int], None, Path]:
    """Bring a model here that is not, yielding (bytes done, bytes in all) about every fifth of a second.

    Ending it early ends the download; what came is kept for the next one.

    Returns:
        The model's folder, as ``locate_model``; at once and without a request when it is already here.

    Raises:
        AutoContextError: ``model_missing`` when neither this machine nor the hub has it, ``model_invalid`` when its
            weights are not safetensors, ``download_failed`` when the hub cannot be reached or breaks off.
    """
    try:
        return locate_model(name)
    except AutoContextError:
        if not hub_names(name) or is_bundled(name):
            raise
    offline = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "auto_context.embed.download", name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={key: value for key, value in os.environ.items() if key not in offline} | _ONLINE,
    )
    last: dict[str, Any] = {}
    try:
        for line in _lines(process):
            last |= line
            yield int(last.get("done", 0)), int(last.get("total", 0))
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None  # noqa: S101 - asked for above
        process.stdout.close()
    if "folder" in last:
        return Path(last["folder"])
    if "code" in last:
        raise AutoContextError.from_dict(last)
    raise AutoContextError("download_failed", f"the download of {name} ended early")


def _lines(process: subprocess.Popen[bytes]) -> Generator[dict[str, Any], None, None]:
    """The objects a process prints, and an empty one when none came for a while."""
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        rest = b""
        while True:
            if not selector.select(_POLL_S):
                yield {}
                continue
            data = os.read(process.stdout.fileno(), 1 << 16)
            if not data:
                return
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                yield json.loads(line)


def main() -> None:
    """Entry point of the process. Each line is an object: {done, total}, then {folder} or an error's fields."""
    name = sys.argv[1]
    try:
        last = {"folder": str(_download(name, lambda done, total: _tell({"done": done, "total": total})))}
    except AutoContextError as error:
        last = error.to_dict()
    except Exception as error:  # noqa: BLE001 - the network fails in many ways
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        last = AutoContextError("download_failed", f"{name} cannot be downloaded: {reason}").to_dict()
    _tell(last)


def _tell(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)  # noqa: T201 - read by `fetch_steps`


def _download(name: str, tell: Callable[[int, int], None]) -> Path:
    from huggingface_hub import constants, hf_hub_download  # noqa: PLC0415 - nothing but this process needs it

    constants.DOWNLOAD_CHUNK_SIZE = _CHUNK_BYTES  # theirs is 10 MB, and only whole ones reach the disk
    repository, commit, sizes = _files(name)
    folder = Path(constants.HF_HUB_CACHE) / ("models--" + repository.replace("/", "--"))
    done, total = 0, sum(sizes.values())
    tell(0, total)
    for file, size in sizes.items():
        before = done
        if _WEIGHTS.fullmatch(file):
            _fetch_blob(repository, file, commit, folder / "blobs", lambda came, at=before: tell(at + came, total))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        # By its commit and not by "main": the name points nowhere until all of it is here.
        hf_hub_download(repository, file, revision=commit)
        done += size
        tell(done, total)
    reference = folder / "refs" / "main"
    reference.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=reference.parent)
    with os.fdopen(handle, "w") as out:
        out.write(commit)
    os.replace(temporary, reference)
    return folder / "snapshots" / commit


def _files(name: str) -> tuple[str, str, dict[str, int]]:
    """The repository that ``name`` means, its commit, and the files to fetch with their sizes, small ones first."""
    from huggingface_hub import HfApi  # noqa: PLC0415 - as above
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError  # noqa: PLC0415

    repository = hub_names(name)[-1]
    try:
        info = HfApi().model_info(repository, files_metadata=True, timeout=_ASK_TIMEOUT_S)
    except GatedRepoError as error:
        hint = "accept its terms on the hub and set HF_TOKEN, or give a folder with its files"
        raise AutoContextError("model_missing", f"the hub gives {repository} only to those it knows", hint) from error
    except RepositoryNotFoundError as error:
        hint = "check the name's spelling, or give a folder with the model's files"
        raise AutoContextError("model_missing", f"the hub has no model {repository}", hint) from error
    sizes = {item.rfilename: int(item.size or 0) for item in info.siblings or ()}
    weights = {file for file in sizes if _WEIGHTS.fullmatch(file)}
    if not weights:
        raise AutoContextError("model_invalid", f"{repository} has no safetensors weights on the hub")
    single = {file for file in weights if file.endswith("model.safetensors")}
    chosen = [file for file in sizes if _READ.fullmatch(file)] + sorted(single or weights)
    return repository, str(info.sha), {file: sizes[file] for file in chosen}


def _fetch_blob(repository: str, file: str, commit: str, blobs: Path, tell: Callable[[int], None]) -> None:
    """Put a large file where huggingface_hub looks for it, continuing what an earlier try left.

    Raises:
        AutoContextError: ``download_failed`` when what came is not what the hub announced.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url  # noqa: PLC0415 - as above
    from huggingface_hub.file_download import http_get  # noqa: PLC0415
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # noqa: PLC0415 - public all the same

    url = hf_hub_url(repository, file, revision=commit)
    known = get_hf_file_metadata(url)
    if known.etag is None or not re.fullmatch(r"[\w-]+", known.etag):
        return  # not one of its blobs; it fetches the file itself
    blobs.mkdir(parents=True, exist_ok=True)
    partial, whole = blobs / f"{known.etag}.partial", blobs / known.etag
    if whole.exists():
        return
    with open(partial, "ab") as out:
        fcntl.flock(out, fcntl.LOCK_EX)  # another service may be fetching the same
        if whole.exists():
            return
        if out.tell() > (known.size or 0):
            out.truncate(0)
        have = out.seek(0, os.SEEK_END)
        # Another host than the hub's gets no token.
        headers = build_hf_headers(token=None if known.location == url else False)
        told: Any = _Told(out, tell, have)
        http_get(known.location, told, resume_size=have, headers=headers, expected_size=known.size)
    if re.fullmatch(r"[0-9a-f]{64}", known.etag):  # of large files it is the SHA-256
        with open(partial, "rb") as came:
            digest = hashlib.file_digest(came, "sha256").hexdigest()
        if digest != known.etag:
            partial.unlink()
            raise AutoContextError("download_failed", f"{file} of {repository} came damaged", "try again")
    os.replace(partial, whole)


class _Told:
    """A file that tells how much was written."""

    def __init__(self, out: Any, tell: Callable[[int], None], have: int) -> None:
        self._out = out
        self._tell = tell
        self._done = self._told = have

    def write(self, data: bytes) -> int:
        """Write, flush, and tell now and then."""
        self._out.write(data)
        self._out.flush()
        self._done += len(data)
        if self._done - self._told >= _TELL_EVERY:
            self._told = self._done
            self._tell(self._done)
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._out, name)


if __name__ == "__main__":
    main()
