"""Input that crashes a grammar's scanner never reaches it. Run in a child: a failure here is a killed process."""

import subprocess
import sys

import pytest

from auto_context.chunk import chunk
from auto_context.chunk.unsafe import is_unsafe

HOSTILE = {
    "yaml sequence": ("yaml", '"- " * 5000 + "a"'),
    "yaml compact": ("yaml", '"- - - ? : " * 200 + "a"'),
    "yaml sequences over lines": ("yaml", '"".join(" " * n + "- \\n" for n in range(2000))'),
    "yaml mapping": ("yaml", '"".join(" " * n + f"a{n}:\\n" for n in range(2000))'),
    "yaml mapping in sequences": ("yaml", '"".join("  " * n + "- a:\\n" for n in range(1000))'),
    "kotlin templates": ("kotlin", "'\"${' * 5000"),
    "perl templates": ("perl", "'\"${' * 5000"),
    "perl dereferences": ("perl", "'\"@{' * 5000"),
    "agda quotes": ("agda", '"\'" * 5001'),
    "cobol brackets": ("cobol", '"[\\n" * 5000'),
}


@pytest.mark.parametrize(("language", "text"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_cut_by_windows(language: str, text: str) -> None:
    code = f"from auto_context.chunk import chunk; print(chunk({text}, {language!r}).fallback)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "parse_failed\n"), done.stderr


def test_a_comment_at_the_very_end_does_not_hang() -> None:
    code = "from auto_context.chunk import chunk; print(len(chunk('foo # bar', 'perl').chunks))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "1\n"


def test_usual_nesting_is_safe() -> None:
    deep = "".join("  " * n + f"a{n}:\n" for n in range(60)) + "  " * 60 + "- - x: 1\n"
    assert not is_unsafe(deep * 50, "yaml")
    assert not is_unsafe("- a: 1\n  b:\n    - c\n" * 5000, "yaml")
    assert not is_unsafe('"${a}" + "${b}"\n' * 5000, "kotlin")
    assert chunk(deep, "yaml").fallback == ""
