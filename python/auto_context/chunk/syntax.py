"""Cutting code at the nodes of its syntax tree: large nodes are opened, small neighbours are put together."""

from __future__ import annotations

import re
import threading
import time
from functools import cache
from typing import NamedTuple

from tree_sitter import Node, Parser
from tree_sitter_language_pack import get_parser

from auto_context.chunk.kinds import GROUPS, WRAPPERS
from auto_context.chunk.lines import Lines
from auto_context.chunk.merge import Atom, Owner, merge_atoms
from auto_context.chunk.tags import Tags, symbols_of, tags_of
from auto_context.types import ChunkResult

_PIECE_BYTES = 1 << 16
_NAME_BYTES = 1 << 8
"""Handed to the parser at a time, and for the text of a node: that is copied for every name, so not many."""
_CHECK_EVERY = 256
_TRANSPARENT = re.compile(
    r"^(preproc_(if|ifdef|else|elif).*|linkage_specification|declarations?|declaration_list|body|source|program|unit|"
    r"namespace_.*|mod_item|internal_module|module_declaration|export_statement|ambient_declaration|"
    r"expression_statement|object|document|block_node|block_mapping|stream|element|script_element|style_element|"
    r"binding_set|attrset_expression|ERROR|do_block|class_body|contract_body|template_body)$"
)
"""Nodes that are opened even when they fit: what is inside them has names of its own."""
_CLASS_BODIES = frozenset({"class_body", "contract_body", "template_body", "object", "do_block"})
"""Opened only where nothing is known of what they belong to."""
_LEADING = re.compile(
    r"comment|^attribute_item$|^decorator$|annotation|^signature$|^pragma|^attribute$|^spec$|doc_string"
)
_CPP_HEADER = re.compile(r"^\s*(?:class\s+\w|namespace\s+\w|template\s*<|using\s+\w)", re.MULTILINE)
_BLOCKS = frozenset({"statement_block", "compound_statement"})
"""What a namespace holds others in, and so does a function."""
_OUTER = frozenset({"", "module", "namespace"})
"""Kinds of definitions that only hold others together."""
_LARGEST_SMALL_TREE = 200
"""A node over fewer rows than this is worth looking into for definitions."""

_local = threading.local()


class NoGrammarError(Exception):
    """The language pack has no such language."""


class _Traits(NamedTuple):
    """What the walk asks of a type of node."""

    leading: bool
    transparent: bool
    class_body: bool
    block: bool
    tagged: bool
    """Whether it can stand for a definition of another node."""


@cache  # node types are few
def _traits(kind: str) -> _Traits:
    return _Traits(
        leading=bool(_LEADING.search(kind)),
        transparent=bool(_TRANSPARENT.match(kind)),
        class_body=kind in _CLASS_BODIES,
        block=kind in _BLOCKS,
        tagged=kind in GROUPS or kind in WRAPPERS,
    )


def cut_code(text: str, lines: Lines, language: str, max_chars: int, timeout_s: float) -> ChunkResult:
    """Chunks, symbols and imports of a program.

    Args:
        text: the whole file.
        lines: the same as lines.
        language: the grammar's name.
        max_chars: how large a chunk may be.
        timeout_s: for parsing and walking together.

    Raises:
        NoGrammarError: the pack has no such grammar.
        TimeoutError: it took too long.
        ValueError: the parser gave up.
    """
    deadline = time.thread_time() + timeout_s
    if language == "c" and _CPP_HEADER.search(text):
        language = "cpp"
    root = _parse(text, language, deadline)
    tags = tags_of(root, language, deadline)
    chunks = merge_atoms(_atoms(root, tags, lines, max_chars, deadline), lines, max_chars)
    return ChunkResult(chunks, symbols=symbols_of(tags), imports=tags.imports)


def _parse(text: str, language: str, deadline: float) -> Node:
    parser = _parser(language)
    # Without a line feed at the end, Perl's scanner never ends on a comment that is the last thing in a file.
    source = (text if text.endswith("\n") else text + "\n").encode("utf-8", "replace")
    parsing, end = True, 0

    def read(offset: int, _: object) -> bytes:
        nonlocal end
        # Whoever reads on, of a long text, gets larger pieces.
        size = _PIECE_BYTES if parsing or offset == end else _NAME_BYTES
        end = offset + size
        return source[offset:end]

    def late(_offset: int, _has_error: bool) -> bool:
        return time.thread_time() > deadline

    try:
        root = parser.parse(read, progress_callback=late).root_node
    except ValueError as error:
        parser.reset()
        if time.thread_time() > deadline:
            raise TimeoutError(language) from error
        raise
    parsing = False
    return root


def _parser(language: str) -> Parser:
    """One per language and thread: a parser is not thread-safe, and making one costs more than parsing a file."""
    parsers: dict[str, Parser] = _local.__dict__.setdefault("parsers", {})
    if language not in parsers:
        try:
            parsers[language] = get_parser(language)  # type: ignore[arg-type]  # an unknown one raises
        except LookupError as error:
            raise NoGrammarError(language) from error
    return parsers[language]


def _atoms(root: Node, tags: Tags, lines: Lines, max_chars: int, deadline: float) -> list[Atom]:
    """The nodes that fit, in order, with what they define and whose they are. No recursion: trees can be deep."""
    atoms: list[Atom] = []
    definitions, leaders, last_row = tags.definitions, tags.leading, lines.count - 1
    waiting = [(root, Owner("", "", -1, 0))]
    visited = 0
    while waiting:
        node, owner = waiting.pop()
        visited += 1
        if visited % _CHECK_EVERY == 0 and time.thread_time() > deadline:
            raise TimeoutError
        first, last = _rows(node, last_row)
        number, traits = node.id, _traits(node.type)
        leading = (traits.leading or number in leaders) and owner.row != first
        found = None
        if not leading and (traits.tagged or number in definitions) and node is not root and node.is_named:
            found = tags.of(node)
        size = lines.size(first, last)
        if size > max_chars or node is root or (first != last and _is_transparent(traits, last - first, owner.kind)):
            children = node.children
            if children:
                inside = owner if found is None else owner.enter(found, first, len(atoms))
                waiting.extend([(child, inside) for child in reversed(children)])
                continue
        if size <= max_chars:
            _add(atoms, Atom(first, last, owner, found, leading))
        else:
            # Nothing inside to cut at, as in a long string.
            inside = owner if found is None else owner.enter(found, first, len(atoms))
            for start, end in lines.windows(first, last, max_chars):
                _add(atoms, Atom(start, end, inside, None, leading=False))
    return atoms


def _add(atoms: list[Atom], atom: Atom) -> None:
    """Append, unless the atom says nothing that the one before, on the same rows, does not."""
    if atoms and atom.found is None and atom.last <= atoms[-1].last and atoms[-1].owner is atom.owner:
        return
    atoms.append(atom)


def _rows(node: Node, last_row: int) -> tuple[int, int]:
    """First and last row. A node that ends at the beginning of a row does not reach into it."""
    first, (last, column) = node.start_point[0], node.end_point
    if column == 0 and last > first:
        last -= 1
    return min(first, last_row), min(last, last_row)


def _is_transparent(traits: _Traits, rows: int, owner_kind: str) -> bool:
    if owner_kind not in _OUTER:
        return False
    if traits.block and owner_kind == "namespace":
        return True
    return traits.transparent and (not traits.class_body or rows < _LARGEST_SMALL_TREE)
