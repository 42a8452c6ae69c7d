"""What is read, how it becomes text, and what is left alone."""

import hashlib
import os
from pathlib import Path

import pytest

from auto_context.source import Content, Skip, read

LIMIT = 1 << 20


def read_bytes(folder: Path, data: bytes, name: str = "a.py") -> Content | Skip:
    (folder / name).write_bytes(data)
    return read(folder, name, LIMIT)


def text_of(folder: Path, data: bytes) -> str:
    content = read_bytes(folder, data)
    assert isinstance(content, Content)
    return content.text


def test_bytes_digest_and_stat(tmp_path: Path) -> None:
    content = read_bytes(tmp_path, b"a = 1\r\n")
    info = (tmp_path / "a.py").stat()
    assert isinstance(content, Content)
    assert content.data == b"a = 1\r\n"
    assert content.text == "a = 1\r\n"
    assert content.digest == hashlib.blake2b(content.data, digest_size=16).digest()
    assert (content.size, content.mtime_ns, content.inode) == (info.st_size, info.st_mtime_ns, info.st_ino)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"\xef\xbb\xbfa = 1\n", "a = 1\n"),
        ("schön\n".encode("utf-16"), "schön\n"),
        (b"\xfe\xff" + "schön\n".encode("utf-16-be"), "schön\n"),
        ("schön\n".encode("utf-32"), "schön\n"),
        ("schöner Text in alter Kodierung\n".encode("latin-1"), "sch\ufffdner Text in alter Kodierung\n"),
        ("日本語\n".encode(), "日本語\n"),
        (b"form\x0cfeed\x1b[0m\n", "form\x0cfeed\x1b[0m\n"),
        (b"one\rtwo\x0bthree\xe2\x80\xa8four\n", "one\rtwo\x0bthree\u2028four\n"),
    ],
)
def test_text(tmp_path: Path, data: bytes, text: str) -> None:
    assert text_of(tmp_path, data) == text


@pytest.mark.parametrize(
    "data", [b"\x89PNG\r\n\x1a\n\0\0", b"text\0text", bytes(range(1, 32)) * 20, bytes(range(128, 256)) * 20]
)
def test_binary(tmp_path: Path, data: bytes) -> None:
    assert read_bytes(tmp_path, data) == Skip("binary")


def test_a_character_cut_by_the_sniffed_part_is_no_fault(tmp_path: Path) -> None:
    text = "x" * 8191 + "é\n"
    assert text_of(tmp_path, f"# {text}".replace("x" * 80, "x" * 79 + "\n").encode())


def test_the_limit_is_inclusive(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x" * 10)
    assert isinstance(read(tmp_path, "a.txt", 10), Content)
    assert read(tmp_path, "a.txt", 9) == Skip("large")


@pytest.mark.parametrize(
    ("name", "data", "skipped"),
    [
        ("jquery.min.js", b"x", True),
        ("site.min.css", b"x", True),
        ("app.js.map", b"{}", True),
        ("app.js", b"f();" * 400, True),
        ("app.js", b"f();\n" * 400, False),
        ("data.json", b"[" + b"1," * 20_000 + b"1]\n", True),
        ("unknown.xyz", b"a" * 20_001, True),
        ("unknown.xyz", b"a" * 3_000, False),
        ("essay.md", b"A long paragraph. " * 2_000, False),
        ("short.js", b"x" * 400, False),
    ],
)
def test_minified(tmp_path: Path, name: str, data: bytes, skipped: bool) -> None:
    content = read_bytes(tmp_path, data, name)
    assert content == Skip("minified") if skipped else isinstance(content, Content)


def test_secrets_are_replaced_left_out_or_kept(tmp_path: Path) -> None:
    token = "gh" + "p_" + "a1B2c3D4e5F6" * 3
    data = f"first = 1\r\ntoken = '{token}'\r\nlast = 3\r\n".encode("utf-16")
    (tmp_path / "a.py").write_bytes(data)
    shown = read(tmp_path, "a.py", LIMIT)
    assert isinstance(shown, Content)
    assert shown.text == "first = 1\r\ntoken = '[redacted token]'\r\nlast = 3\r\n"
    assert shown.redacted == 1
    assert shown.digest == hashlib.blake2b(shown.text.encode(), digest_size=16).digest()
    assert shown.size == len(data)
    assert read(tmp_path, "a.py", LIMIT, "skip") == Skip("secret")
    kept = read(tmp_path, "a.py", LIMIT, "keep")
    assert isinstance(kept, Content)
    assert (token in kept.text, kept.redacted) == (True, 0)
    assert kept.digest == hashlib.blake2b(data, digest_size=16).digest()


@pytest.mark.parametrize("secrets", ["redact", "skip", "keep"])
def test_without_secrets_all_ways_are_one(tmp_path: Path, secrets: str) -> None:
    (tmp_path / "a.py").write_bytes(b"\xef\xbb\xbfa = 1\n")
    content = read(tmp_path, "a.py", LIMIT, secrets)
    assert isinstance(content, Content)
    assert content.digest == hashlib.blake2b(content.data, digest_size=16).digest()
    assert content.redacted == 0


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a.py").write_text("a")
    (tmp_path / "link.py").symlink_to("real/a.py")
    (tmp_path / "linked").symlink_to("real")
    os.mkfifo(tmp_path / "pipe")
    assert read(tmp_path, "link.py", LIMIT) == Skip("symlink")
    assert read(tmp_path, "linked/a.py", LIMIT) in {Skip("symlink"), Skip("missing")}
    assert read(tmp_path, "pipe", LIMIT) == Skip("not_regular")
    assert read(tmp_path, "real", LIMIT) == Skip("not_regular")
    assert read(tmp_path, "absent", LIMIT) == Skip("missing")
    assert read(tmp_path, "real/a.py/b", LIMIT) == Skip("missing")
    for bad in ("../x", "real/../real/a.py", "a\0b", "", "real/"):
        assert read(tmp_path, bad, LIMIT) == Skip("unreadable")


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("a")
    os.mkfifo(tmp_path / "pipe")
    descriptors = Path("/dev/fd")
    before = len(list(descriptors.iterdir()))
    for name in ("a.py", "pipe", "absent", "x/y"):
        read(tmp_path, name, LIMIT)
    assert len(list(descriptors.iterdir())) == before
