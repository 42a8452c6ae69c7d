"""Cutting code at the nodes of its syntax tree: large nodes are opened, small neighbours are put together."""

from __future__ import annotations

import re
import threading
import time
from typing import NamedTuple

from tree_sitter import Node, Parser
from tree_sitter_language_pack import get_parser

from auto_context.chunk.lines import Lines
from auto_context.chunk.merge import Atom, Owner, merge_atoms
from auto_context.chunk.tags import Tags, symbols_of, tags_of
from auto_context.types import ChunkResult

_READ_BYTES = 1 << 12
"""Handed to the parser at a time, and copied again for every name that is read from a node: so not many."""
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


class _Open(NamedTuple):
    node: Node
    owner: Owner


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
    deadline = time.monotonic() + timeout_s
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

    def read(offset: int, _: object) -> bytes:
        return source[offset : offset + _READ_BYTES]

    def late(_offset: int, _has_error: bool) -> bool:
        return time.monotonic() > deadline

    try:
        return parser.parse(read, progress_callback=late).root_node
    except ValueError as error:
        parser.reset()
        if time.monotonic() > deadline:
            raise TimeoutError(language) from error
        raise


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
    top = Owner("", "", -1, 0)
    waiting = [_Open(root, top)]
    visited = 0
    while waiting:
        node, owner = waiting.pop()
        visited += 1
        if visited % _CHECK_EVERY == 0 and time.monotonic() > deadline:
            raise TimeoutError
        first, last = _rows(node, lines)
        leading = owner.row != first and (node.id in tags.leading or bool(_LEADING.search(node.type)))
        found = tags.of(node) if node is not root and not leading and node.is_named else None
        size = lines.size(first, last)
        if node is root or size > max_chars or _is_transparent(node, first, last, owner.kind):
            children = node.children
            if children:
                inside = owner if found is None else owner.enter(found, first, len(atoms))
                waiting.extend(_Open(child, inside) for child in reversed(children))
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


def _rows(node: Node, lines: Lines) -> tuple[int, int]:
    """First and last row. A node that ends at the beginning of a row does not reach into it."""
    first, (last, column) = node.start_point[0], node.end_point
    if column == 0 and last > first:
        last -= 1
    return min(first, lines.count - 1), min(last, lines.count - 1)


def _is_transparent(node: Node, first: int, last: int, owner_kind: str) -> bool:
    if first == last or owner_kind not in _OUTER:
        return False
    if owner_kind == "namespace" and node.type in _BLOCKS:
        return True
    return bool(_TRANSPARENT.match(node.type)) and (
        node.type not in _CLASS_BODIES or last - first < _LARGEST_SMALL_TREE
    )
