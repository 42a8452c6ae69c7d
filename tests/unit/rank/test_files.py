"""The path leg."""

import random
import re

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


def test_a_folder_typed_nearly_finds_what_lies_in_it() -> None:
    assert set(names("src/ath/")) == {"src/auth/session.py"}
    assert names("doc/rety/index.md")[0] == "docs/retry/index.md"
    assert names("src/net/nothing/like/it/at/all") == []


def test_files_come_and_go_without_making_it_anew() -> None:
    files = FileNames(PATHS)
    assert files.match("src/ath/sesion.py", 1) != [], "what nearly is in the path is prepared by now"
    added = files.add("src/auth/tokens/vault.py")
    assert added == len(PATHS)
    assert [at for at, _ in files.match("vault", 5)] == [added]
    assert [at for at, _ in files.match("valt", 5)] == [added]
    assert [at for at, _ in files.match("the vault", 5)] == [added]
    assert [at for at, _ in files.match("tokens/valt.py", 5)] == [added]
    files.discard(added)
    assert [files.match(query, 5) for query in ("vault", "valt", "the vault", "tokens/valt.py", "v*lt")] == [[]] * 5
    assert files.add("src/auth/tokens/vault.py", ["large", "march"]) == added, "it comes back at its place"
    assert [at for at, _ in files.match("large file of march", 5)] == [added]
    files.discard(added)
    assert files.match("large file of march", 5) == []


def test_names_of_any_characters() -> None:
    paths = ["docs/überblick/straße.md", "src/\udcff\udcfe/データ.py", "src/a.py"]
    files = FileNames(paths)
    assert [at for at, _ in files.match("straße", 5)] == [0]
    assert [at for at, _ in files.match("データ.py", 5)] == [1]
    assert [at for at, _ in files.match("src/\udcff\udcfe/*.py", 5)] == [1]
    assert files.match("a.py", 1) == [(2, 1.0)]
    assert files.match("b\0c", 5) == []


def by_definition(paths: list[str], query: str, limit: int) -> list[tuple[int, float]]:
    """Names found by a part of them, one path after the other."""
    needle = query.lower()
    scores: dict[int, float] = {}
    for at, path in enumerate(map(str.lower, paths)):
        name = path.rsplit("/", 1)[-1]
        stem = name.rsplit(".", 1)[0] or name
        if "*" in needle:
            if re.search(".*".join(map(re.escape, needle.split("*"))), path):
                scores[at] = 0.8
        elif needle in {name, path}:
            scores[at] = 1.0
        elif path.endswith("/" + needle):
            scores[at] = 0.98
        elif needle in path:
            last = 0.75 if needle in name else 0.6
            scores[at] = 0.95 if stem == needle else 0.85 if name.startswith(needle) else last
    return sorted(scores.items(), key=lambda item: (-item[1], len(paths[item[0]]), paths[item[0]]))[:limit]


def test_agrees_with_its_definition_on_many_paths() -> None:
    rnd = random.Random(4)  # noqa: S311 - the same every time
    pieces = ["src", "net", "a", "retry", "re", "Test_Files", "init", "größe", ".hidden", "x.y", "__init__", "tests"]
    drawn = (
        "/".join(rnd.choices(pieces, k=rnd.randint(1, 5))) + rnd.choice(["", ".py", ".md", ".rs", "."])
        for _ in range(1_200)
    )
    paths = list(dict.fromkeys(drawn))
    files = FileNames(paths[:600])
    for path in paths[600:]:
        files.add(path)
    compared = 0
    for _ in range(400):
        path = rnd.choice(paths)
        begin = rnd.randrange(len(path))
        query = rnd.choice([path, path.rsplit("/", 1)[-1], path[begin : begin + rnd.randint(1, 9)]])
        if rnd.random() < 0.3:
            cut = rnd.randrange(len(query))
            query = query[:cut] + "*" + query[cut + rnd.randint(0, 3) :]
        expected = by_definition(paths, query, 20)
        if len(expected) == 20:  # else what is nearly it fills the answer
            compared += 1
            assert files.match(query, 20) == expected, query
        else:
            assert [row for row in files.match(query, 20) if row[1] > 0.55] == expected, query
    assert compared > 100
