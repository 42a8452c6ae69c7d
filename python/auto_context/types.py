"""Plain data shared by every layer. Standard library only: the CLI and the remote plugin import this."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, NamedTuple

LegState = Literal["ok", "partial", "pending", "loading", "down", "empty", "off"]
"""What became of one search leg.

ok: answered for the whole view, or would have if it weighed anything. partial: answered, but some chunks have no vector
yet. pending: the query's embedding did not come within ``wait_ms``. loading: the model is being loaded or distilled.
down: the worker failed. empty: nothing to search yet. off: this kind of query does not use it.
"""

JobState = Literal["queued", "running", "done", "cancelled", "failed"]


class Chunk(NamedTuple):
    """A contiguous range of lines of one file, 1-based, both ends included."""

    start_line: int
    end_line: int
    kind: str
    """A tree-sitter node kind made plain: function, class, method, block, heading, paragraph, window, ..."""
    symbol: str
    """``Class.method`` for code, ``Heading > Sub`` for prose, "" when it has no name."""


class Symbol(NamedTuple):
    """One definition in a file; lines are 1-based, both ends included."""

    name: str
    """Qualified: ``Class.method``."""
    kind: str
    start_line: int
    """Where the definition itself begins, after its comments and decorators."""
    end_line: int


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """All chunks of one file: in order, covering every line. ``fallback`` says why line windows were used, or ""."""

    chunks: list[Chunk]
    fallback: Literal["", "no_grammar", "parse_failed", "timeout"] = ""
    symbols: list[Symbol] = field(default_factory=list)
    """Every definition, in order, those inside others too."""
    imports: list[str] = field(default_factory=list)
    """What the file imports, as written (``os.path``, ``./store``, ``crate::net``), without repeats."""


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One search. ``root`` is any folder inside a repository; hits are limited to it and relative to it."""

    query: str
    root: str
    limit: int = 20
    path: str | None = None
    """A glob on the hit's path relative to ``root``, as in .gitignore: ``src/**``, ``*.py``."""
    language: str | None = None
    paths: tuple[str, ...] | None = None
    """Only these files, relative to ``root``; None: all."""
    tests: Literal["with", "without", "only"] = "with"
    """Whether tests may answer."""
    threshold: float = 0.0
    """Smallest score of a hit, as a share of the best one's, 0 to 1."""
    wait_ms: int = 0
    """How long to wait for legs that are not ready: 0 for a picker, 10,000 for one-shot callers."""
    near: str = ""
    """Path, relative to ``root``, of the file the person looks at: files near it and fresh commits gain a little."""
    per_file: int = 4
    """Most chunks of one file among the first ten: 1 for files first, 10 and more for lines first."""
    explain: bool = False
    """Whether each hit says how it came to its place."""
    client: str = ""
    """Whose unsaved buffers stand in place of their files."""
    off: tuple[str, ...] = ()
    """Legs and ranking steps to leave out: to measure what each is worth."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer. Lines are 1-based and both ends included; ``path`` is relative to the request's root."""

    path: str
    start_line: int
    end_line: int
    focus: tuple[int, int]
    symbol: str
    kind: str
    language: str
    score: float
    legs: list[str]
    fresh: bool
    text: str
    last_commit: dict[str, Any] | None = None
    """``time`` (seconds since the epoch) and ``subject`` of the file's last commit; None when git knows none."""
    explain: dict[str, Any] | None = None
    """When asked for: ``intent``, ``legs`` (rank, score and weight in each), ``fused``, ``steps``, ``score``."""
    unsaved: bool | None = None
    """True for the text of a buffer that is not saved; its lines are the buffer's."""
    reason: str | None = None
    """Why a file stands in ``nearby``: ``open``, ``recent``, ``near`` or ``committed``."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of every edge: without what is not known or was not asked for."""
        fields = ((name, getattr(self, name)) for name in self.__slots__)
        return {name: value for name, value in fields if value is not None}


@dataclass(frozen=True, slots=True)
class SearchReply:
    """What a search found, and what each leg did."""

    query: str
    root: str
    branch: str
    took_ms: float
    legs: dict[str, LegState]
    coverage: dict[str, float]
    """Share of the view's chunks that each leg can find, 0 to 1."""
    hits: list[Hit]
    terms: list[str] = field(default_factory=list)
    """Lower case: what begins with one of them, as a word or as a part of an identifier, is worth highlighting."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of every edge."""
        return asdict(replace(self, hits=[])) | {"hits": [hit.to_dict() for hit in self.hits]}


@dataclass(frozen=True, slots=True)
class NearbyRequest:
    """Files a person may want before a word is typed. Paths are relative to ``root``, those used last first."""

    root: str
    near: str = ""
    """The file the person looks at: its neighbours come in, itself last."""
    open: tuple[str, ...] = ()
    recent: tuple[str, ...] = ()
    limit: int = 20


@dataclass(frozen=True, slots=True)
class SimilarRequest:
    """Code like some code: the chunk at a line of a file, or the whole file without one."""

    root: str
    path: str
    """Absolute, or relative to ``root``."""
    line: int | None = None
    """1-based."""
    limit: int = 10


@dataclass(frozen=True, slots=True)
class SimilarReply:
    """What is like it, without the code itself; its copies apart. Lines say what it was compared with."""

    root: str
    branch: str
    path: str
    start_line: int
    end_line: int
    took_ms: float
    legs: dict[str, LegState]
    hits: list[Hit]
    copies: list[Hit]

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of every edge."""
        lists = {"hits": [hit.to_dict() for hit in self.hits], "copies": [hit.to_dict() for hit in self.copies]}
        return asdict(replace(self, hits=[], copies=[])) | lists


@dataclass(frozen=True, slots=True)
class ContextRequest:
    """What one needs to work at a place."""

    root: str
    path: str
    """Absolute, or relative to ``root``."""
    line: int
    """1-based."""
    column: int | None = None
    """1-based, in characters: the name there counts most."""
    budget: int = 2_000
    """Most tokens, of the embedding model's tokenizer, of the answer as Markdown."""


@dataclass(frozen=True, slots=True)
class ContextItem:
    """One snippet. Lines are 1-based and both ends included."""

    path: str
    start_line: int
    end_line: int
    symbol: str
    kind: str
    language: str
    score: float
    reason: str
    """``here``, ``defines NAME``, ``similar`` or ``tests NAME``."""
    tokens: int
    """Of the snippet as Markdown, its heading included."""
    text: str


@dataclass(frozen=True, slots=True)
class ContextReply:
    """The snippets, the place itself first, then by use."""

    root: str
    branch: str
    path: str
    line: int
    budget: int
    tokens: int
    exact: bool
    """Whether the model's tokenizer counted; without it tokens are estimated, too many rather than too few."""
    took_ms: float
    items: list[ContextItem]

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of every edge."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an update is. ``eta_s`` is None while unknown; while reading it is of the reading alone."""

    phase: Literal["scan", "chunk", "static", "embed", "done"]
    """From ``embed`` on everything is searchable by words, names and static vectors."""
    files_done: int = 0
    files_total: int = 0
    """Files to read: those that moved."""
    chunks_done: int = 0
    """Chunks of the view with a vector of the transformer."""
    chunks_total: int = 0
    percent: float = 0.0
    eta_s: float | None = None
    coverage: dict[str, float] = field(default_factory=dict)
    """Share of the view's chunks that each leg can find, 0 to 1."""
    tokens_per_s: int = 0
    paused: str = ""
    """Why the transformer waits: ``memory`` or ``battery``; "" while it does not."""


@dataclass(frozen=True, slots=True)
class UpdateReport:
    """What one update did."""

    root: str
    branch: str
    files: int
    """Files in the view with indexed content."""
    chunks: int
    changed: int
    """Paths whose content was new to the view."""
    removed: int
    embedded_chunks: int
    embedded_paths: int
    skipped: dict[str, int]
    """Files not indexed by content, counted by reason."""
    fallbacks: dict[str, int]
    """Files cut by line windows, counted by reason."""
    took_s: float
    stages_s: dict[str, float] = field(default_factory=dict)
    pending_chunks: int = 0
    """Chunks still without a vector of the transformer (the worker was down, or it was not asked for): they wait on
    disk for the next update."""
    coverage: dict[str, float] = field(default_factory=dict)
    """As in ``Progress``."""
    tokens: int = 0
    """What the transformer read."""
    warnings: list[dict[str, str]] = field(default_factory=list)
    """What was left out of the repository's own settings: coded errors as plain data."""
    redacted: dict[str, int] = field(default_factory=dict)
    """``secrets`` for which a marker stands, in how many ``files`` of the view."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of every edge."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Cleared:
    """An index that was deleted as a whole, or would be."""

    path: str
    """The repository: its git folder, or the folder itself without git; the store's folder when it does not tell."""
    bytes: int
    """On the disk."""
    busy: bool = False
    """It is still there: an update did not end in time."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of every edge."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went, or would go, of one repository's index."""

    path: str
    """The repository: its git folder, or the folder itself without git."""
    versions: int = 0
    """File versions that nothing uses."""
    vectors: int = 0
    """Their packed vectors, those of paths, and those of models not in use."""
    branches: list[str] = field(default_factory=list)
    """Refs that are no longer remembered; after "@" the worktree, when that went."""
    bytes: int = 0
    """Of the records, as they are stored."""
    busy: bool = False
    """Nothing went because an update was under way."""
    removed: bool = False
    """The whole index went: its folder does not exist any more, and room was needed."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of every edge."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """The bytes of one repository's index on disk, before and after."""

    path: str
    before: int
    after: int

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of every edge."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RepositoryStatus:
    """What is known of one root. ``indexed`` is False, and the counts 0, before its first update."""

    root: str
    top: str
    branch: str
    indexed: bool
    files: int
    chunks: int
    vectors: int
    static_vectors: int
    skipped: dict[str, int]
    fallbacks: dict[str, int]
    updated_at: float
    """Seconds since the epoch; 0.0 when never."""
    store: str
    """The store's folder."""
    store_bytes: int
    model: str
    embedding: Literal["ready", "loading", "down", "idle"]
    warnings: list[dict[str, str]] = field(default_factory=list)
    """As in ``UpdateReport``, of the file as it is now."""
    redacted: dict[str, int] = field(default_factory=dict)
    """As in ``UpdateReport``."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of every edge."""
        return asdict(self)
