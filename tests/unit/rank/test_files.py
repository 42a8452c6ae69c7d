"""The path leg."""

import pytest

from auto_context.rank.files import FileNames

PATHS = [
    "src/net/retry.py",
    "src/net/retry_policy.py",
    "tests/test_retry.py",
    "docs/retry/index.md",
    "src/auth/session.py",
    "README.md",
    "assets/logo.png",
]


def names(query: str, limit: int = 10) -> list[str]:
    return [PATHS[at] for at, _ in FileNames(PATHS).match(query, limit)]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("retry.py", "src/net/retry.py"),
        ("retry", "src/net/retry.py"),
        ("net/retry.py", "src/net/retry.py"),
        ("./README.md", "README.md"),
        ("readme", "README.md"),
        ("logo.png", "assets/logo.png"),
        ("sesion.py", "src/auth/session.py"),
        ("src/ath/session.py", "src/auth/session.py"),
        ("retry policy", "src/net/retry_policy.py"),
        ("where is the session kept", "src/auth/session.py"),
        ("auth/*.py", "src/auth/session.py"),
    ],
)
def test_first(query: str, first: str) -> None:
    assert names(query)[0] == first


def test_nothing_like_it_finds_nothing() -> None:
    assert names("zzzzqqqq") == []
    assert names("") == []


def test_the_limit_holds_and_scores_fall() -> None:
    found = FileNames(PATHS).match("retry", 2)
    assert len(found) == 2
    assert found[0][1] >= found[1][1]
