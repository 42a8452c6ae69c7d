"""BM25 over code-aware tokens, in tantivy. Derived: a missing, damaged or foreign folder is made again.

Text arrives already cut into tokens (``rank.tokens``), so tantivy only splits at spaces, lower-cases and stems.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import tantivy

from auto_context.errors import AutoContextError
from auto_context.store import faults, segments, terms
from auto_context.store.records import CHUNK_BITS
from auto_context.store.terms import Counted, stem
from auto_context.store.vocabulary import Vocabulary

T = TypeVar("T")

_ANALYZER, _EXACT_ANALYZER = "code_tokens", "whole_names"
_HEAP_BYTES = 64_000_000
"""Of the writer, which fills it before it writes a segment: 15 MB takes a quarter more time, and hardly less memory."""
_WRITING_THREADS = 1
"""Two take a third more memory and leave twice as many segments, which every search pays for."""
_GENERATION_FILE = "generation"
_K1, _B = 1.2, 0.75
"""Of tantivy's BM25 (``query/bm25.rs``)."""
_BOOSTS = {"body": 1.0, "symbol": 2.0, "path": 1.0, "names": 1.0}
_EXACT = ("names",)
"""Fields of whole identifiers, which are not stemmed."""
_PREFIX_BOOST, _TYPO_BOOST = 0.4, 0.7


class LexicalChunk(NamedTuple):
    """One chunk's tokens, joined by spaces."""

    body: str
    symbol: str
    """The words of the names it defines."""
    names: str
    """The names it defines, whole, and what they are qualified by."""


class LexicalIndex:
    """One repository's BM25 index. One writer, searched from any thread; once it is ``damaged`` nothing is found.

    Raises:
        AutoContextError: ``disk_full`` or ``storage_failed``, from every method that writes.
    """

    def __init__(self, folder: Path, generation: str) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._writer: tantivy.IndexWriter | None = None
        self.generation = generation
        self.damaged = False
        """Whether it is known to be of no use."""
        self.rebuilt = False
        """Whether it was found so at first, and is empty therefore."""
        self._vocabulary = Vocabulary()
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
            self._vocabulary = Vocabulary()
            with self._writing():
                self._index = self._create()
                (self._folder / _GENERATION_FILE).write_text(self.generation, "utf-8")

    def _usable(self, generation: str) -> bool:
        """Whether it is the one of this generation, and nothing in it has changed since it was written."""
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            written = (self._folder / _GENERATION_FILE).read_text("utf-8")
            return bool(generation) and written == generation and segments.whole(self._folder)
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
        index.register_tokenizer(_EXACT_ANALYZER, terms.whole().build())
        index.register_tokenizer(_ANALYZER, terms.stemmed().build())
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
                self._vocabulary.wrote(len(chunks))
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
            parts = segments.listed(self._folder)
            searcher = self._index.searcher()
        if not any(part.removed for part in parts):
            return set()
        found = searcher.search(tantivy.Query.all_query(), max(1, searcher.num_docs), count=False).hits
        addresses = [address for _, address in found]
        documents = searcher.fast_field_values("doc", addresses)
        alive = Counter(address.segment_ord for address in addresses)
        # A searcher has its segments in the order of the list; where it has not, all of them are taken.
        ordered = [alive[at] for at in range(len(parts))] == [part.alive for part in parts]
        return {
            int(document or 0)
            for address, document in zip(addresses, documents, strict=True)
            if not ordered or parts[address.segment_ord].removed
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
        wanted = [tantivy.Query.term_query(self._index.schema, "names", name.lower()) for name in names]
        query = tantivy.Query.boolean_query([(tantivy.Occur.Should, term) for term in wanted])
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
            term = stem(token)
            frequency = self._read(partial(searcher.doc_freq, "body", term), 0) if term else 0
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
            wanted = {token if field in _EXACT else stem(token): boost for token in tokens}
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
        for token in self._vocabulary.strangers(searcher, tokens):
            parts.extend(
                tantivy.Query.boost_query(
                    tantivy.Query.term_query(self._index.schema, field, term), likeness * _BOOSTS[field] * _TYPO_BOOST
                )
                for term, likeness in self._vocabulary.near(searcher, token)
                for field in ("body", "symbol")
            )
        if prefix:
            parts.extend(
                tantivy.Query.boost_query(
                    tantivy.Query.term_query(self._index.schema, field, term), _PREFIX_BOOST * _BOOSTS[field]
                )
                for term in self._vocabulary.completions(searcher, prefix)
                for field in ("body", "symbol")
            )
        if not parts:
            return None
        return tantivy.Query.boolean_query([(tantivy.Occur.Should, part) for part in parts])

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


def chunk_id(doc: int, position: int) -> int:
    """The id of a chunk in memory, from the number of its document there."""
    return doc << CHUNK_BITS | position


def split_id(chunk: int) -> tuple[int, int]:
    """The number of a chunk's document, and its position there."""
    return chunk >> CHUNK_BITS, chunk & ((1 << CHUNK_BITS) - 1)
