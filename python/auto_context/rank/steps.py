"""The ranking steps after fusion: each a pure function from candidates to factors on their scores, by name in STEPS."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from posixpath import basename, dirname

from auto_context.rank.candidate import Candidate
from auto_context.rank.intent import Intent
from auto_context.rank.tokens import likeness, query_words, words

_PATHS = 8_192
"""What is known of this many paths is kept: every search meets much the same ones."""
_TEST_PATH = re.compile(
    r"(^|/)(tests?|specs?|__tests__|__mocks__|testdata|testing|fixtures?|e2e|mocks?)(/|$)"
    r"|(^|/)(test_[^/]*|conftest\.py|[^/]*[._-](test|spec)s?\.[^/]*|[^/]*Tests?\.(java|kt|cs|swift|scala|php))$"
)
_VENDORED_PATH = re.compile(
    r"(^|/)(vendor|vendored|third_party|third-party|thirdparty|node_modules|dist|build|generated|deps|_vendor)(/|$)"
    r"|\.(lock|min\.\w+|snap)$|(_pb2(_grpc)?\.pyi?|\.pb\.\w+|\.gen\.\w+|_generated\.\w+|\.g\.dart)$"
    r"|(^|/)(package-lock\.json|pnpm-lock\.yaml|go\.sum)$"
)
_EXAMPLE_PATH = re.compile(r"(^|/)(examples?|samples?|demos?|docs?_src|tutorials?|benchmarks?|bench|_examples)(/|$)")
_LEGACY_PATH = re.compile(r"(^|/)[^/]*(legacy|deprecated|compat)[^/]*(/|$)", re.IGNORECASE)
_DECLARATIONS_PATH = re.compile(r"\.d\.[cm]?ts$|\.pyi$")
_HISTORY_PATH = re.compile(r"(^|/)(changes?|changelogs?|history|news|release[-_]?notes)(\.\w+)?(/|$)", re.IGNORECASE)
_PROSE_PATH = re.compile(r"\.(md|markdown|rst|txt|adoc|asciidoc|org|tex|typ|html?)$|(^|/)[A-Z][A-Z_]+$", re.IGNORECASE)
_DATA_PATH = re.compile(
    r"\.(ya?ml|json|jsonc|toml|ini|cfg|csv|tsv|xml|properties|in|conf)$|(^|/)\.[^/]+$", re.IGNORECASE
)
_ASKS = {
    "tests": frozenset({"test", "tests", "testing", "tested", "spec", "specs", "fixture", "fixtures", "mock", "mocks"}),
    "examples": frozenset({"example", "examples", "sample", "samples", "demo", "tutorial", "benchmark", "benchmarks"}),
    "vendored": frozenset({"vendor", "vendored", "lock", "lockfile", "generated", "dist", "build"}),
    "legacy": frozenset({"legacy", "deprecated", "compat", "compatibility"}),
    "history": frozenset({"changelog", "history", "release", "releases", "changes", "news"}),
    "prose": frozenset({"doc", "docs", "documentation", "readme", "guide", "tutorial", "documented", "manual"}),
    "data": frozenset(
        {"config", "configuration", "settings", "ci", "workflow", "yaml", "json", "toml", "dependencies"}
    ),
    "declarations": frozenset({"declaration", "declarations", "stub", "stubs", "types", "typing"}),
}
_NOISE = (
    ("history", _HISTORY_PATH, 0.4),
    ("prose", _PROSE_PATH, 0.5),
    ("data", _DATA_PATH, 0.6),
    ("tests", _TEST_PATH, 0.4),
    ("examples", _EXAMPLE_PATH, 0.7),
    ("vendored", _VENDORED_PATH, 0.5),
    ("legacy", _LEGACY_PATH, 0.7),
    ("declarations", _DECLARATIONS_PATH, 0.7),
)
_SYMBOL_BOOST, _MIXED_BOOST = 2.5, 1.6
_SAME_CASE, _VERBATIM_BOOST, _ASKED_BOOST = 1.1, 2.0, 1.3
_STEM_BOOST = 0.2
_COHERENCE = 0.4
_NEAR, _RECENT, _HALF_LIFE_S = 0.06, 0.06, 30 * 86_400.0
"""Small: they decide between equals, and only for a person in an editor."""
_SHORTEST = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """What the steps know of the query and of who asks."""

    text: str
    intent: Intent
    near: str = ""
    """Path of the file the person looks at."""
    now: float = 0.0

    @property
    def words(self) -> frozenset[str]:
        """The words that say something."""
        return frozenset(query_words(self.text))


Step = Callable[[Asked, Sequence[Candidate]], list[float]]


def definition(asked: Asked, candidates: Sequence[Candidate]) -> list[float]:
    """A chunk that defines the name that was asked for outranks those that use it.

    Only a whole name counts: a boost for the parts of names that prose happens to say was measured to do harm.
    """
    exact = {"symbol": _SYMBOL_BOOST, "mixed": _MIXED_BOOST}.get(asked.intent.kind, 0.0)
    if not exact:
        return [1.0] * len(candidates)
    names = {name for name in re.split(r"[^\w$]+", asked.text.removesuffix("()")) if name}
    lowered = {name.lower() for name in names}
    factors = []
    for item in candidates:
        own = {symbol.rsplit(".", 1)[-1] for symbol in item.defines}
        # Of names that differ in their capitals only, the one that was typed.
        same, alike = not own.isdisjoint(names), any(name.lower() in lowered for name in own)
        factors.append(exact * _SAME_CASE if same else exact if alike else 1.0)
    return factors


def verbatim(asked: Asked, candidates: Sequence[Candidate]) -> list[float]:
    """A chunk that has the very line that was pasted."""
    del asked
    return [_VERBATIM_BOOST if item.verbatim else 1.0 for item in candidates]


def stem(asked: Asked, candidates: Sequence[Candidate]) -> list[float]:
    """A file whose name or folder says what the query says."""
    like = likeness(word for word in asked.words if len(word) >= _SHORTEST)
    known: dict[str, float] = {}
    for item in candidates:
        if item.path not in known:
            known[item.path] = 1.0 + _STEM_BOOST * _named(item.path, like)
    return [known[item.path] for item in candidates]


def _named(path: str, like: Callable[[str], bool]) -> float:
    """How much of a file's own name, and of its folder's, is like some words: 0 to 1."""
    own, folder = _name_words(path)
    return max(_share(own, like), 0.5 * _share(folder, like))


@lru_cache(maxsize=_PATHS)
def _name_words(path: str) -> tuple[frozenset[str], frozenset[str]]:
    """The words of a file's own name, and of its folder's."""
    return frozenset(words(basename(path).split(".", 1)[0])), frozenset(words(basename(dirname(path))))


def _share(parts: Collection[str], like: Callable[[str], bool]) -> float:
    return sum(map(like, parts)) / len(parts) if parts else 0.0


def coherence(asked: Asked, candidates: Sequence[Candidate]) -> list[float]:
    """Several hits in one file vouch for each other, most for the best of them."""
    del asked
    shared: dict[str, float] = defaultdict(float)
    for item in candidates:
        shared[item.path] += item.score
    most = max(shared.values(), default=1.0) or 1.0
    return [1.0 + _COHERENCE * shared[item.path] / most for item in candidates]


def noise(asked: Asked, candidates: Sequence[Candidate]) -> list[float]:
    """Tests, examples, vendored, generated, lock, legacy, declaration files, documentation and data give way to code.

    What the query asks for by name (``tests of the cart``, ``the guide``) comes first instead.
    """
    if asked.intent.kind == "path":
        return [1.0] * len(candidates)
    known: dict[str, float] = {}
    for item in candidates:
        if item.path not in known:
            known[item.path] = demotion(item.path, asked.words)
    return [known[item.path] for item in candidates]


def is_test(path: str) -> bool:
    """Whether a file is one of tests, by its name."""
    return _TEST_PATH.search(path) is not None


def demotion(path: str, wanted: Collection[str] = ()) -> float:
    """The strongest of the classes a path is of; the other way when one of them was asked for."""
    classes = _classes(path)
    if any(not _ASKS[name].isdisjoint(wanted) for name, _ in classes):
        return _ASKED_BOOST
    return min((factor for _, factor in classes), default=1.0)


@lru_cache(maxsize=_PATHS)
def _classes(path: str) -> list[tuple[str, float]]:
    return [(name, factor) for name, pattern, factor in _NOISE if pattern.search(path)]


def near(asked: Asked, candidates: Sequence[Candidate]) -> list[float]:
    """Files that share folders with the one the person looks at. Nothing without one."""
    if not asked.near:
        return [1.0] * len(candidates)
    here = dirname(asked.near).split("/")
    factors = []
    for item in candidates:
        there = dirname(item.path).split("/")
        shared = next(
            (at for at, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), min(len(here), len(there))
        )
        factors.append(1.0 + _NEAR * shared / max(len(here), len(there), 1))
    return factors


def recency(asked: Asked, candidates: Sequence[Candidate]) -> list[float]:
    """Files committed lately; half as much with every month. Nothing where the time is not known."""
    return [
        1.0 + _RECENT * 0.5 ** (max(0.0, asked.now - item.modified) / _HALF_LIFE_S) if item.modified else 1.0
        for item in candidates
    ]


STEPS: Mapping[str, Step] = {
    "definition": definition,
    "verbatim": verbatim,
    "stem": stem,
    "noise": noise,
    "coherence": coherence,
    "near": near,
    "recency": recency,
}
"""In the order they are applied."""

_HEAD = 10
_FURTHER = 0.75


def _moved(item: Candidate, step: str, factor: float) -> Candidate:
    """A candidate after a step that moved it, which it remembers."""
    return item._replace(score=item.score * factor, why=(*item.why, (step, factor)))


def rank(asked: Asked, candidates: Sequence[Candidate], off: Collection[str] = ()) -> list[Candidate]:
    """Apply every step, then sort; ties keep a stable order by path and line."""
    ranked = list(candidates)
    for name, step in STEPS.items():
        if name in off:
            continue
        factors = step(asked, ranked)
        ranked = [
            item if factor == 1.0 else _moved(item, name, factor) for item, factor in zip(ranked, factors, strict=True)
        ]
    return sorted(ranked, key=lambda item: (-item.score, item.path, item.start_line))


def diversify(candidates: Sequence[Candidate], most: int) -> list[Candidate]:
    """Each further chunk of a file counts less than the one before; ``most`` of them stand among the first ten.

    Args:
        candidates: best first.
        most: 1 for files first; 10 and more for lines first, which changes nothing.

    Returns:
        All of them, best first but for those that a full file pushed behind the tenth.
    """
    if most >= _HEAD:
        return list(candidates)
    counts: Counter[str] = Counter()
    ranked = []
    for item in candidates:
        factor = _FURTHER ** counts[item.path]
        counts[item.path] += 1
        ranked.append(item if factor == 1.0 else _moved(item, "diversity", factor))
    ranked.sort(key=lambda item: (-item.score, item.path, item.start_line))
    head: list[Candidate] = []
    rest: list[Candidate] = []
    counts.clear()
    for item in ranked:
        if len(head) < _HEAD and counts[item.path] < most:
            counts[item.path] += 1
            head.append(item)
        else:
            rest.append(item)
    return head + rest
