"""Code like some code: by its own vector and by the words that tell it apart."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from auto_context.engine.legs import Legs
from auto_context.engine.place import Place, find_place
from auto_context.engine.repository import Repository
from auto_context.engine.scope import Scope
from auto_context.engine.tier import Tier
from auto_context.engine.verify import fresh_hits
from auto_context.engine.views import Worktree
from auto_context.rank import STEPS, Asked, Candidate, demotion, diversify, fuse, rank
from auto_context.rank.intent import INTENTS
from auto_context.rank.query import Query
from auto_context.rank.tokens import words
from auto_context.source import Root
from auto_context.store.records import CHUNK_BITS, chunk_lines
from auto_context.types import Hit, LegState, SearchRequest, SimilarReply, SimilarRequest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_DEPTH = 100
_WORDS = 24
"""Of the code, those that the lexical leg looks for."""
_COPY = 0.985
"""Cosine of two bodies from which on one is a copy of the other, changed a little."""
_PER_FILE = 3


class Likeness(NamedTuple):
    """What resembles some chunks, best first, and their copies."""

    candidates: list[Candidate]
    copies: list[Candidate]
    legs: dict[str, LegState]
    query: Query


def alike_to(
    repository: Repository, root: Root, worktree: Worktree, place: Place, positions: Sequence[int]
) -> Likeness:
    """Chunks like some chunks of a file.

    Args:
        repository: where they are.
        root: hits are limited to it.
        worktree: whose view.
        place: the file.
        positions: of its chunks.
    """
    chunks = [place.blob.chunks[at] for at in positions]
    tokens = [token for chunk in chunks for token in words(chunk_lines(place.blob.text, chunk))]
    query = Query("", INTENTS["similar"], tuple(repository.lexical.telling(tokens, _WORDS)))
    scope = Scope(repository, root, worktree.view, worktree.history, SearchRequest("", str(root.path)), query)
    legs = Legs(repository, worktree.view, scope, query)
    found = {"lexical": legs.lexical(_DEPTH)}
    states: dict[str, LegState] = {"lexical": "ok"}
    bodies = {tier.name: _body(tier, place, positions) for tier in repository.tiers}
    for tier in repository.tiers:
        body = bodies[tier.name]
        found[tier.name] = [] if body is None else legs.nearest(tier, body, _DEPTH)
        states[tier.name] = "empty" if body is None else "ok"
    body = bodies["vector"]
    others: list[Candidate] = []
    copies: list[Candidate] = []
    hashes = {place.blob.hashes[at] for at in positions}
    intent = query.intent if body is not None else query.intent.without_vector()
    for item in fuse(found, intent, _DEPTH, lambda chunk: not repository.vector.has_rows(chunk >> CHUNK_BITS)):
        known = repository.chunk(item.id)
        if known is None or (known[0].path == place.path and known[2] in positions):
            continue
        document, blob, position = known
        chunk = blob.chunks[position]
        candidate = Candidate(
            item.id, document.path, chunk.start_line, chunk.end_line, chunk.kind, chunk.symbol, item.score, item.legs
        )
        if blob.hashes[position] in hashes or _near_copy(repository, document.key, position, body):
            copies.append(candidate)
        elif document.key != place.key or document.path == place.path:
            others.append(candidate)  # what else there is in a copy of the file is there already
    # A test is like tests: what is demoted elsewhere is not where one stands among its kind.
    off = [step for step in STEPS if step != "noise" or demotion(place.path) < 1.0]
    ranked = diversify(rank(Asked("", query.intent), others, off), _PER_FILE)
    return Likeness(ranked, copies, states, query)


def _body(tier: Tier, place: Place, positions: Sequence[int]) -> Floats | None:
    """The mean of the chunks' own vectors, unit length; None while they have none."""
    vectors = tier.body_vectors([place.key]).get(place.key)
    if vectors is None:
        return None
    mean = vectors[list(positions)].mean(axis=0)
    out: Floats = mean / max(float(np.linalg.norm(mean)), 1e-9)
    return out


def _near_copy(repository: Repository, key: bytes, position: int, body: Floats | None) -> bool:
    if body is None:
        return False
    vectors = repository.vector.body_vectors([key]).get(key)
    return vectors is not None and float(vectors[position] @ body) >= _COPY


def similar(repository: Repository, root: Root, worktree: Worktree, request: SimilarRequest) -> SimilarReply:
    """Answer one request from the worktree's view.

    Raises:
        AutoContextError: what ``find_place`` raises.
    """
    began = time.monotonic()
    place = find_place(repository, root, worktree.view, request.path, request.line)
    positions = range(len(place.blob.chunks)) if request.line is None else [place.position]
    like = alike_to(repository, root, worktree, place, positions)

    def hits(candidates: Sequence[Candidate]) -> list[Hit]:
        return [hit for _, hit in fresh_hits(repository, worktree, root, like.query, candidates, request.limit)]

    first, last = place.blob.chunks[positions[0]], place.blob.chunks[positions[-1]]
    found, copies = hits(like.candidates), hits(like.copies)
    return SimilarReply(
        root=str(root.path),
        branch=worktree.ref,
        path=place.path[len(root.prefix) :],
        start_line=first.start_line,
        end_line=last.end_line,
        took_ms=round((time.monotonic() - began) * 1000, 2),
        legs=like.legs,
        hits=found,
        copies=copies,
    )
