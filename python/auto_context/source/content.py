"""What is in one file: its bytes, its digest and its text, or why it is not indexed by content."""

from __future__ import annotations

import codecs
import errno
import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from auto_context.language import PROSE, language_of
from auto_context.source.redaction import redact

_DIGEST_BYTES = 16
_SNIFFED_BYTES = 8_192
_MOST_CONTROL = 0.1
"""Share of control characters in the first bytes above which they are no text."""
_MOST_UNDECODABLE = 0.3
_LONGEST_LINE = 20_000
_LONGEST_MEAN_LINE = 500
_CONTROL = re.compile(rb"[\x01-\x06\x0e-\x1a\x1c-\x1f\x7f]")
_MINIFIED_NAME = re.compile(r"[.-]min\.(?:js|mjs|cjs|css|html|svg)$|\.(?:js|css)\.map$|\.bundle\.js$", re.IGNORECASE)
# The longer mark first: the one of UTF-32 begins like the one of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, "utf-8"),
)
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_REASONS = {
    errno.ENOENT: "missing",
    errno.ENOTDIR: "missing",
    errno.ELOOP: "symlink",
    errno.EMLINK: "symlink",
    errno.ENXIO: "not_regular",
}


@dataclass(frozen=True, slots=True)
class Content:
    """A file as it was when it was opened.

    ``text`` has no byte order mark, and a replacement character for what is not UTF-8; it keeps its line ends, and
    lines end at a line feed only. The stat is of the opened file, taken before its bytes: when it changes while it is
    being read, its stat on disk is no longer this one.
    """

    data: bytes
    digest: bytes
    """blake2b of ``data``, of the text where secrets were taken out of it, 16 bytes."""
    size: int
    mtime_ns: int
    inode: int
    text: str
    redacted: int = 0
    """How many secrets a marker stands for in the text."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Why there is no content: binary, large, minified, secret, unreadable, missing, symlink or not_regular."""

    reason: str


def read(top: Path, path: str, max_bytes: int, secrets: str = "redact") -> Content | Skip:
    """Read one file. No link is followed below ``top``, and nothing but a regular file is ever read.

    Args:
        top: a real path.
        path: posix, relative to ``top``.
        max_bytes: more than this is ``large``.
        secrets: redact, skip or keep, as in the settings.
    """
    try:
        descriptor = _open(top, path)
        try:
            info = os.fstat(descriptor)
            data = _bytes(descriptor, info, max_bytes)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        return Skip(_REASONS.get(getattr(error, "errno", None) or 0, "unreadable"))
    if isinstance(data, Skip):
        return data
    text = _text(data)
    reason = "binary" if text is None else _reason(path, text)
    if text is None or reason:
        return Skip(reason)
    redacted = 0
    if secrets != "keep":
        text, redacted = redact(text)
        if redacted and secrets == "skip":
            return Skip("secret")
    # The digest is kept: it must not be one of a secret.
    stored = text.encode("utf-8", "surrogateescape") if redacted else data
    digest = hashlib.blake2b(stored, digest_size=_DIGEST_BYTES).digest()
    return Content(data, digest, info.st_size, info.st_mtime_ns, info.st_ino, text, redacted)


def _bytes(descriptor: int, info: os.stat_result, max_bytes: int) -> bytes | Skip:
    if not stat.S_ISREG(info.st_mode):
        return Skip("not_regular")
    if info.st_size > max_bytes:
        return Skip("large")
    with open(descriptor, "rb", closefd=False) as file:
        data = file.read(max_bytes + 1)
    return Skip("large") if len(data) > max_bytes else data


def _open(top: Path, path: str) -> int:
    """Open folder by folder, so that none of them can be a link, not even one made this moment."""
    *folders, name = path.split("/")
    if not name or ".." in folders or name == "..":
        raise ValueError(path)
    at = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            below = os.open(folder, _OPEN | os.O_DIRECTORY, dir_fd=at)
            os.close(at)
            at = below
        return os.open(name, _OPEN | os.O_NONBLOCK, dir_fd=at)
    finally:
        os.close(at)


def _text(data: bytes) -> str | None:
    """The text of a file, None when it is none."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    head = data[:_SNIFFED_BYTES]
    if b"\0" in head or len(_CONTROL.findall(head)) > _MOST_CONTROL * len(head):
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        # One more byte than a character takes: the cut at the end of the head is not the file's fault.
        if head.decode("utf-8", "replace").count("\ufffd") > _MOST_UNDECODABLE * len(head) + 1:
            return None
        return data.decode("utf-8", "replace")


def _reason(path: str, text: str) -> str:
    """Why a text is not indexed, "" when it is."""
    return "minified" if _is_minified(path, text) else ""


def _is_minified(path: str, text: str) -> bool:
    if _MINIFIED_NAME.search(path):
        return True
    if len(text) <= _LONGEST_MEAN_LINE:
        return False
    language = language_of(path, text[:200].split("\n", 1)[0])
    if language in PROSE:
        return False
    if len(text) > _LONGEST_LINE and max(map(len, text.split("\n"))) > _LONGEST_LINE:
        return True
    return bool(language) and len(text) > _LONGEST_MEAN_LINE * (text.count("\n") + 1)
