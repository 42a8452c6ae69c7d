"""BM25 over code-aware tokens, in tantivy. Derived: a missing, damaged or foreign folder is made again.

Text arrives already cut into tokens (``rank.tokens``), so tantivy only splits at spaces, lower-cases and stems.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import shutil
import struct
import threading
import uuid
import zlib
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import tantivy
from rapidfuzz import process
from rapidfuzz.distance import OSA

from auto_context.errors import AutoContextError
from auto_context.store import faults
from auto_context.store.records import CHUNK_BITS

T = TypeVar("T")

_ANALYZER, _EXACT_ANALYZER = "code_tokens", "whole_names"
_HEAP_BYTES = 64_000_000
"""Of the writer, which fills it before it writes a segment: 15 MB takes a quarter more time, and hardly less memory."""
_WRITING_THREADS = 1
"""Two take a third more memory and leave twice as many segments, which every search pays for."""
_GENERATION_FILE, _META_FILE = "generation", "meta.json"
_FOOTER_MAGIC = 1337
_CRC_BLOCK = 1 << 20
_K1, _B = 1.2, 0.75
"""Of tantivy's BM25 (``query/bm25.rs``)."""
_BOOSTS = {"body": 1.0, "symbol": 2.0, "path": 1.0, "names": 1.0}
_EXACT = ("names",)
"""Fields of whole identifiers, which are not stemmed."""
_PREFIX_EXPANSIONS = 12
_PREFIX_BOOST = 0.4
_STEMMED = ("body", "symbol", "path")
_TYPO_LENGTHS = range(5, 30)
_MOST_STRANGERS, _CORRECTIONS, _TERMS_OF_A_LETTER = 3, 3, 20_000
_LIKE_ENOUGH, _TYPO_BOOST = 0.7, 0.7
_STALE_SHARE = 0.02
"""Of the chunks: when more than these were written, the words known by letter are read again."""
_SHORT_PREFIX = 2
"""Letters that so many words begin with that they are better taken from the words known by letter."""


class LexicalChunk(NamedTuple):
    """One chunk's tokens, joined by spaces."""

    body: str
    symbol: str
    """The words of the names it defines."""
    names: str
    """The names it defines, whole, and what they are qualified by."""


class Counted(NamedTuple):
    """How often each term stands in the fields of a chunk that is not in the index."""

    terms: dict[str, Counter[str]]
    """By field."""
    lengths: dict[str, int]


_ANALYZE = threading.local()
"""An analyzer of its own for every thread."""


def counted(path: str, body: str, symbol: str, names: str) -> Counted:
    """Count the terms of a chunk, given as ``LexicalIndex.add`` takes them."""
    if not hasattr(_ANALYZE, "stemmer"):
        _ANALYZE.stemmer = _stemmed().build()
    terms = {field: Counter(_ANALYZE.stemmer.analyze(text)) for field, text in
             (("body", body), ("symbol", symbol), ("path", path))}  # fmt: skip
    terms["names"] = Counter(names.split())
    return Counted(terms, {field: sum(found.values()) for field, found in terms.items()})


class LexicalIndex:
    """One repository's BM25 index. One writer, searched from any thread; once it is ``damaged`` nothing is found.

    Raises:
        AutoContextError: ``disk_full`` or ``storage_failed``, from every method that writes.
    """

    def __init__(self, folder: Path, generation: str) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._writer: tantivy.IndexWriter | None = None
        self._stemmer = _stemmed().build()
        self.generation = generation
        self.damaged = False
        """Whether it is known to be of no use."""
        self.rebuilt = False
        """Whether it was found so at first, and is empty therefore."""
        self._terms: dict[str, list[str]] = {}
        self._written = 0
        if self._usable(generation):
            try:
                self._index = self._create()
            except ValueError as error:
                fault = faults.of_tantivy(folder, error)
                if fault is not None:  # an index that is whole, on a disk that is full
                    raise fault from error
                self.reset()
        else:
            self.reset()

    def reset(self) -> None:
        """Begin again with an empty index of another generation."""
        with self._lock:
            self._drop_writer()
            shutil.rmtree(self._folder, ignore_errors=True)
            self.generation, self.rebuilt, self.damaged = uuid.uuid4().hex, True, False
            self._terms, self._written = {}, 0
            with self._writing():
                self._index = self._create()
                (self._folder / _GENERATION_FILE).write_text(self.generation, "utf-8")

    def _usable(self, generation: str) -> bool:
        """Whether it is the one of this generation, and nothing in it has changed since it was written."""
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            written = (self._folder / _GENERATION_FILE).read_text("utf-8")
            if generation and written == generation:
                segments = json.loads((self._folder / _META_FILE).read_text("utf-8"))["segments"]
                names = [str(segment["segment_id"]).replace("-", "") for segment in segments]
                return all(_whole(file) for name in names for file in self._folder.glob(f"{name}.*"))
        return False

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Faults of writing. What was committed stays."""
        try:
            yield
        except (OSError, ValueError) as error:
            self._drop_writer()
            fault = faults.of_tantivy(self._folder, error)
            if fault is None:
                self.damaged = True
                fault = AutoContextError("storage_failed", f"the words in {self._folder} cannot be written: {error}")
            raise fault from error

    def _drop_writer(self) -> None:
        """One that met a fault is of no use any more, and must let its lock go at once."""
        if self._writer is not None:
            with contextlib.suppress(ValueError):
                self._writer.wait_merging_threads()
            self._writer = None

    def _read(self, look: Callable[[], T], otherwise: T) -> T:
        """What a look at the index gives, something else where it turns out to be damaged."""
        try:
            return look()
        except BaseException as error:
            # A fault in native code has a type that cannot be named.
            if not isinstance(error, ValueError) and type(error).__name__ != "PanicException":
                raise
            self.damaged = True
            return otherwise

    def _create(self) -> tantivy.Index:
        self._folder.mkdir(parents=True, exist_ok=True)
        builder = tantivy.SchemaBuilder()
        for field in _BOOSTS:
            analyzer = _EXACT_ANALYZER if field in _EXACT else _ANALYZER
            builder.add_text_field(field, tokenizer_name=analyzer, index_option="freq")
        builder.add_unsigned_field("doc", indexed=True, fast=True)
        builder.add_unsigned_field("chunk", fast=True)
        index = tantivy.Index(builder.build(), path=str(self._folder))
        index.register_tokenizer(_EXACT_ANALYZER, _split().build())
        index.register_tokenizer(_ANALYZER, _stemmed().build())
        index.config_reader("manual")
        return index

    def add(
        self,
        documents: Iterable[tuple[int, str, Sequence[LexicalChunk]]],
        replace: Container[int] | None = None,
    ) -> None:
        """Add documents and make them searchable: some 2,000 at a time are added in half the time of 128.

        Args:
            documents: (id, path tokens, chunks); they replace those of the same id.
            replace: ids that may be there already; None for any. To look for one takes time, in every segment.
        """
        with self._lock, self._writing():
            writer = self._open_writer()
            for doc, path, chunks in documents:
                if replace is None or doc in replace:
                    # By query: the binding's delete by term takes the number for a signed one and matches nothing.
                    writer.delete_documents_by_query(tantivy.Query.term_query(self._index.schema, "doc", doc))
                for position, chunk in enumerate(chunks):
                    row = tantivy.Document(body=[chunk.body], symbol=[chunk.symbol], names=[chunk.names], path=[path])
                    row.add_unsigned("doc", doc)
                    row.add_unsigned("chunk", position)
                    writer.add_document(row)
                self._written += len(chunks)
            self._commit(writer)

    def remove(self, documents: Iterable[int]) -> None:
        """Take documents out, by id; missing ones are fine."""
        with self._lock, self._writing():
            writer = self._open_writer()
            writer.delete_documents_by_query(tantivy.Query.term_set_query(self._index.schema, "doc", [*documents]))
            self._commit(writer)

    def beside_removed(self) -> set[int]:
        """The documents in segments where words of removed ones are left: they go once all of these are replaced."""
        with self._lock:
            segments = json.loads((self._folder / "meta.json").read_text("utf-8"))["segments"]
            searcher = self._index.searcher()
        if not any(segment["deletes"] for segment in segments):
            return set()
        found = searcher.search(tantivy.Query.all_query(), max(1, searcher.num_docs), count=False).hits
        addresses = [address for _, address in found]
        documents = searcher.fast_field_values("doc", addresses)
        alive = Counter(address.segment_ord for address in addresses)
        # A searcher has its segments in the order of the list; where it has not, all of them are taken.
        said = [segment["max_doc"] - (segment["deletes"] or {}).get("num_deleted_docs", 0) for segment in segments]
        ordered = [alive[at] for at in range(len(segments))] == said
        return {
            int(document or 0)
            for address, document in zip(addresses, documents, strict=True)
            if not ordered or segments[address.segment_ord]["deletes"]
        }

    def release(self) -> None:
        """Give the writer's memory, thread and lock back, after merges under way; the next change takes them anew."""
        with self._lock:
            if self._writer is not None:
                with contextlib.suppress(ValueError):
                    self._writer.wait_merging_threads()
                self._writer = None
                self._index.reload()

    def _open_writer(self) -> tantivy.IndexWriter:
        if self._writer is None:
            self._writer = self._index.writer(heap_size=_HEAP_BYTES, num_threads=_WRITING_THREADS)
        return self._writer

    def _commit(self, writer: tantivy.IndexWriter) -> None:
        writer.commit()
        self._index.reload()

    def search(self, tokens: Sequence[str], prefix: str, limit: int, offset: int = 0) -> list[tuple[int, int, float]]:
        """The best chunks for some tokens.

        Args:
            tokens: words of the query, any of which may match.
            prefix: the start of a word still being typed, or "".
            limit: how many.
            offset: how many to leave out first.

        Returns:
            (document id, chunk position, BM25 score), best first.
        """
        # Tokens are word characters only, so the query language sees nothing but terms; the analyzer stems them.
        plain = self._index.parse_query(" ".join(tokens), list(_BOOSTS), field_boosts=_BOOSTS) if tokens else None

        def look() -> list[tuple[int, int, float]]:
            searcher = self._index.searcher()
            query = self._query(searcher, plain, tokens, prefix)
            return self._rows(searcher, query, limit, offset) if query is not None else []

        return self._read(look, [])

    def defining(self, names: Sequence[str], limit: int) -> list[tuple[int, int, float]]:
        """Chunks that define one of some names, given whole; the same rows as ``search``."""
        searcher = self._index.searcher()
        terms = [tantivy.Query.term_query(self._index.schema, "names", name.lower()) for name in names]
        query = tantivy.Query.boolean_query([(tantivy.Occur.Should, term) for term in terms])
        return self._read(lambda: self._rows(searcher, query, limit, 0), [])

    def telling(self, tokens: Sequence[str], limit: int) -> list[str]:
        """The tokens that tell a text apart best, by tf-idf, best first; those of one chunk only are left out.

        Args:
            tokens: of the text, with repeats.
            limit: how many.
        """
        searcher = self._index.searcher()
        total = searcher.num_docs + 1
        worth: dict[str, float] = {}
        for token, count in Counter(tokens).items():
            stem = self._stem(token)
            frequency = self._read(partial(searcher.doc_freq, "body", stem), 0) if stem else 0
            if frequency > 1:
                worth[token] = (1 + math.log(count)) * math.log(total / frequency)
        return sorted(worth, key=lambda token: (-worth[token], token))[:limit]

    def score(self, tokens: Sequence[str], prefix: str, chunks: Sequence[Counted]) -> list[float]:
        """BM25 of chunks that are not in the index, by its statistics, as if they were: the formula is tantivy's.

        The average length of a field is not to be had; that of these chunks stands for it.

        Args:
            tokens: words of the query, any of which may match.
            prefix: the start of a word still being typed, or "".
            chunks: as ``counted`` made them.
        """
        searcher = self._index.searcher()
        total = searcher.num_docs
        scores = [0.0] * len(chunks)
        for field, boost in _BOOSTS.items():
            average = max(1.0, sum(chunk.lengths[field] for chunk in chunks) / max(1, len(chunks)))
            wanted = {token if field in _EXACT else self._stem(token): boost for token in tokens}
            if prefix and field in ("body", "symbol"):
                begun = {term for chunk in chunks for term in chunk.terms[field] if term.startswith(prefix)}
                wanted |= {term: _PREFIX_BOOST * boost for term in begun if term not in wanted}
            for term, weight in wanted.items():
                known = self._read(partial(searcher.doc_freq, field, term), 0) if term else 0
                rarity = weight * math.log(1 + (total - known + 0.5) / (known + 0.5)) * (1 + _K1)
                for at, chunk in enumerate(chunks):
                    count = chunk.terms[field][term]
                    if count:
                        length = 1 - _B + _B * chunk.lengths[field] / average
                        scores[at] += rarity * count / (count + _K1 * length)
        return scores

    @staticmethod
    def _rows(
        searcher: tantivy.Searcher, query: tantivy.Query, limit: int, offset: int
    ) -> list[tuple[int, int, float]]:
        hits = searcher.search(query, limit, count=False, offset=offset).hits
        addresses = [address for _, address in hits]
        docs = searcher.fast_field_values("doc", addresses)
        chunks = searcher.fast_field_values("chunk", addresses)
        return [
            (int(doc or 0), int(chunk or 0), float(score))
            for (score, _), doc, chunk in zip(hits, docs, chunks, strict=True)
        ]

    def _query(
        self, searcher: tantivy.Searcher, plain: tantivy.Query | None, tokens: Sequence[str], prefix: str
    ) -> tantivy.Query | None:
        """The words as they are, with what those typed wrongly may have been and how the last may go on."""
        parts = [plain] if plain is not None else []
        for token in self._strangers(searcher, tokens):
            parts.extend(
                tantivy.Query.boost_query(
                    tantivy.Query.term_query(self._index.schema, field, term), likeness * _BOOSTS[field] * _TYPO_BOOST
                )
                for term, likeness in self._near(searcher, token)
                for field in ("body", "symbol")
            )
        if prefix:
            parts.extend(
                tantivy.Query.boost_query(
                    tantivy.Query.term_query(self._index.schema, field, term), _PREFIX_BOOST * _BOOSTS[field]
                )
                for term in self._completions(searcher, prefix)
                for field in ("body", "symbol")
            )
        if not parts:
            return None
        return tantivy.Query.boolean_query([(tantivy.Occur.Should, part) for part in parts])

    def _stem(self, token: str) -> str:
        """A token as the stemmed fields have it."""
        return "".join(self._stemmer.analyze(token))

    def _strangers(self, searcher: tantivy.Searcher, tokens: Sequence[str]) -> list[str]:
        """The stems of the first few tokens that no chunk has: typed wrongly, maybe."""
        strangers = []
        for token in tokens:
            if len(token) in _TYPO_LENGTHS and token.isascii() and token.isalpha():
                stem = self._stem(token)
                if not any(searcher.doc_freq(field, stem) for field in _STEMMED):
                    strangers.append(stem)
        return strangers[:_MOST_STRANGERS]

    def _near(self, searcher: tantivy.Searcher, token: str) -> list[tuple[str, float]]:
        """Terms a slip away from a token, with their likeness in 0 to 1: hardly anybody slips at the first letter."""
        found = process.extract(
            token,
            self._of_letter(searcher, token[0]),
            scorer=OSA.normalized_similarity,
            score_cutoff=_LIKE_ENOUGH,
            limit=_CORRECTIONS,
        )
        return [(term, likeness) for term, likeness, _ in found]

    def _completions(self, searcher: tantivy.Searcher, prefix: str) -> list[str]:
        """The most frequent terms that begin so."""
        known = self._terms.get(prefix[0])
        if known is None or len(prefix) > _SHORT_PREFIX:
            return [term for term, _ in searcher.terms_with_prefix("body", prefix, limit=_PREFIX_EXPANSIONS)]
        return list(itertools.islice((term for term in known if term.startswith(prefix)), _PREFIX_EXPANSIONS))

    def _of_letter(self, searcher: tantivy.Searcher, letter: str) -> list[str]:
        """The terms with this first letter, the most frequent first: kept, for to list them takes long."""
        if self._written > searcher.num_docs * _STALE_SHARE:
            self._terms, self._written = {}, 0
        terms = self._terms.get(letter)
        if terms is None:
            found = searcher.terms_with_prefix("body", letter, limit=_TERMS_OF_A_LETTER)
            terms = self._terms[letter] = [term for term, _ in found]
        return terms

    def bytes_on_disk(self) -> int:
        """The size of the index's folder, in bytes."""
        total = 0
        for item in self._folder.glob("*"):
            with contextlib.suppress(OSError):  # a merge may remove a segment while it is counted
                total += item.stat().st_size
        return total

    def close(self) -> None:
        """Let the writer's lock go. Everything added is committed already."""
        self.release()


def _whole(file: Path) -> bool:
    """Whether a file of tantivy's is as its checksum says. Native code trusts what it reads.

    At its end is a footer as JSON, then its length and a constant, four bytes each (tantivy's ``directory/footer.rs``).
    """
    with file.open("rb") as stream:
        size = stream.seek(-8, os.SEEK_END) + 8
        length, magic = struct.unpack("<II", stream.read(8))
        stream.seek(size - 8 - length)
        footer = json.loads(stream.read(length))
        stream.seek(0)
        left, found = size - 8 - length, 0
        while left > 0:
            block = stream.read(min(left, _CRC_BLOCK))
            found, left = zlib.crc32(block, found), left - len(block)
    return bool(magic == _FOOTER_MAGIC and footer["crc"] == found)


def _stemmed() -> tantivy.TextAnalyzerBuilder:
    return _split().filter(tantivy.Filter.stemmer("English"))


def _split() -> tantivy.TextAnalyzerBuilder:
    return tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).filter(tantivy.Filter.lowercase())


def chunk_id(doc: int, position: int) -> int:
    """The id of a chunk in memory, from the number of its document there."""
    return doc << CHUNK_BITS | position


def split_id(chunk: int) -> tuple[int, int]:
    """The number of a chunk's document, and its position there."""
    return chunk >> CHUNK_BITS, chunk & ((1 << CHUNK_BITS) - 1)
