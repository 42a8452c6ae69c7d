"""What a syntax tree defines and imports, by the tag query of its language; by general rules where it has none.

``queries/<language>.scm`` captures ``@definition.<kind>`` around ``@name``, maybe with ``@owner`` (the type a method is
declared for), ``@import``, and ``@leading`` (what belongs to the definition after it). A first line ``; inherits: c``
puts another file before it. Adding a language is adding that file.

Kinds: function, method, class, struct, interface, trait, enum, type, module, impl, macro, test, table deserve a chunk
of their own; variable, key, section, rule, element and block (of Terraform) only name one that they fill. A namespace
is no part of the names in it. Prose has one more, heading, from the rules that cut it. Overloads and equations of one
function right below each other are one symbol.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from functools import cache
from importlib import resources
from typing import NamedTuple

from tree_sitter import Node, Query, QueryCursor
from tree_sitter_language_pack import get_language

from auto_context.chunk.kinds import GROUPS, WRAPPERS
from auto_context.chunk.symbols import Definition, declared_name, definition, text_of, wrapped
from auto_context.types import Symbol

WEAK_KINDS = frozenset({"variable", "key", "section", "rule", "element", "namespace"})
_HOLDS_METHODS = frozenset({"class", "struct", "impl", "trait", "interface", "enum"})
_UNLISTED = frozenset({"impl", "test", "namespace"})
"""They define nothing that one looks for by its name."""
_CASTS = frozenset({"operator_cast", "qualified_identifier"})
_DECLARATORS = _CASTS | {
    "function_declarator",
    "pointer_declarator",
    "reference_declarator",
    "parenthesized_declarator",
}
"""What says the name of a function in C and C++, among much else."""
_GLOBAL = frozenset({"element", "rule"})
"""Named without regard to what they are in."""
_INHERITS = re.compile(r"; inherits: (\w+)\n")
_DECORATION = re.compile(r"annotation|attribute|decorator|^modifiers$")
_CHECK_EVERY = 512
_MOST_IMPORTS, _LONGEST_IMPORT = 200, 200
_DEEPEST_WRAPPER = 5
_SLICE_BYTES = 1 << 18
_MOST_LOOSE = 10_000
"""Pieces in a row that the grammar could make nothing of. For each of them the cursor of a query looks through all that
follow (tree-sitter 0.25), so 200,000 brackets take minutes."""
_MOST_SYMBOL_CHARS = 160
_MOST_DECORATIONS = 20


class Tags(NamedTuple):
    """Definitions by the id of their node, their nodes in the order of the text, imports, and ids of leading nodes."""

    definitions: dict[int, Definition]
    nodes: list[Node]
    imports: list[str]
    leading: set[int]

    def of(self, node: Node) -> Definition | None:
        """What a node defines, or the node that it stands for (a decorated function, an exported class)."""
        inner: Node | None = node
        for _ in range(_DEEPEST_WRAPPER):
            if inner is None:
                return None
            found = self.definitions.get(inner.id)
            if found is None and inner.type in GROUPS:
                inside = [self.definitions[child.id] for child in inner.named_children if child.id in self.definitions]
                found = max(inside, key=lambda one: one.strong, default=None)
            if found is not None or inner.type not in WRAPPERS:
                return found
            inner = wrapped(inner)
        return None


def tags_of(root: Node, language: str, deadline: float) -> Tags:
    """Tags of a whole tree.

    Args:
        root: of the tree.
        language: the grammar's name.
        deadline: on this thread's own clock of processor time, which stands still while others have the processor.

    Raises:
        TimeoutError: it took too long.
        ValueError: the text is nothing that the grammar knows.
    """

    def late() -> bool:
        return time.thread_time() > deadline

    if root.has_error and any(node.is_error and node.child_count > _MOST_LOOSE for node in (root, *root.children)):
        raise ValueError(f"no {language}")
    query = query_of(language)
    tags = _walked(root, language, late) if query is None else _captured(root, query, late)
    if time.thread_time() > deadline:
        raise TimeoutError(language)
    tags.nodes.sort(key=lambda node: (node.start_byte, -node.end_byte))
    return tags


def tagged_languages() -> list[str]:
    """The languages that have a tag query; a file with an underscore is a part of others."""
    folder = resources.files("auto_context.chunk") / "queries"
    return sorted(
        item.name.removesuffix(".scm")
        for item in folder.iterdir()
        if item.name[:1] != "_" and item.name.endswith(".scm")
    )


@cache
def query_of(language: str) -> Query | None:
    """The compiled tag query of a language, None when it has no file."""
    source = _source(language)
    return Query(get_language(language), source) if source else None  # type: ignore[arg-type]  # a file has its name


def _source(name: str) -> str:
    file = resources.files("auto_context.chunk") / "queries" / f"{name}.scm"
    if not file.is_file():
        return ""
    source = file.read_text("utf-8")
    base = _INHERITS.match(source)
    return _source(base[1]) + source if base else source


def _captured(root: Node, query: Query, late: Callable[[], bool]) -> Tags:
    tags = Tags({}, [], [], set())
    patterns: dict[int, int] = {}
    imports: dict[str, None] = {}
    for pattern, captures in _matches(root, query, late):
        for capture, nodes in captures.items():
            if capture == "import":
                imports.update(dict.fromkeys(map(_imported, nodes)))
            elif capture == "leading":
                tags.leading.update([node.id for node in nodes])
        found = _definition(captures)
        if found is None:
            continue
        node, defined = found
        number = node.id
        before = patterns.get(number)
        if before is None:
            tags.nodes.append(node)
        # Of two names for one node, the first one by the pattern that stands first in the file.
        if before is None or pattern < before:
            patterns[number] = pattern
            tags.definitions[number] = defined
    tags.imports.extend([name for name in imports if name][:_MOST_IMPORTS])
    _leave_namespaces(tags.definitions)
    return tags


def _leave_namespaces(definitions: dict[int, Definition]) -> None:
    """Take the namespaces of the file from the names that say them: ``void n::A::f() {}``."""
    spaces = {part for found in definitions.values() if found.kind == "namespace" for part in found.name.split(".")}
    for key, found in definitions.items() if spaces else ():
        owner, dot, name = found.name.rpartition(".")
        if not dot or found.kind == "namespace":
            continue
        parts = owner.split(".")
        while parts and parts[0] in spaces:
            parts.pop(0)
        kind = found.kind if parts or found.kind != "method" else "function"
        definitions[key] = found._replace(kind=kind, name=".".join([*parts, name]))


def _matches(root: Node, query: Query, late: Callable[[], bool]) -> Iterator[tuple[int, dict[str, list[Node]]]]:
    """All matches, a slice of the text at a time so that the deadline is seen.

    One that spans slices comes in each: it counts in the slice where its first capture begins. The binding's own
    progress callback takes the process down (py-tree-sitter 0.26).
    """
    for start in range(root.start_byte, root.end_byte, _SLICE_BYTES):
        if late():
            return
        end = min(start + _SLICE_BYTES, root.end_byte)
        cursor = QueryCursor(query)
        cursor.set_byte_range(start, end)
        for pattern, captures in cursor.matches(root):
            if start <= next(iter(captures.values()))[0].start_byte < end:
                yield pattern, captures


@cache
def _kind_of(capture: str) -> str:
    """The kind that ``definition.<kind>`` says, "" for another capture."""
    return capture.removeprefix("definition.") if capture.startswith("definition.") else ""


def _definition(captures: dict[str, list[Node]]) -> tuple[Node, Definition] | None:
    for capture, nodes in captures.items():
        kind = _kind_of(capture)
        if not kind:
            continue
        names = captures.get("name")
        if not names:
            return None
        said = names[0].type
        name = _name(nodes[0], names[0], said, kind)
        if said in _DECLARATORS and "." in name:
            kind = "method"  # C++ defines it outside its class
        owners = captures.get("owner")
        if owners:
            name = f"{text_of(owners[0])}.{name}"
        return (nodes[0], Definition(kind, name, kind not in WEAK_KINDS)) if name else None
    return None


def _name(node: Node, said: Node, said_type: str, kind: str) -> str:
    if kind == "rule":
        return " ".join((said.text or b"")[:_MOST_SYMBOL_CHARS].decode("utf-8", "replace").split())
    if said_type in _CASTS:
        return text_of(said).partition("(")[0]
    return declared_name(node) if said_type in _DECLARATORS else text_of(said)


def _imported(node: Node) -> str:
    text = (node.text or b"")[:_LONGEST_IMPORT].decode("utf-8", "replace").strip()
    return re.sub(r"^import\s+", "", text).strip("\"'`<>; ")


def _walked(root: Node, language: str, late: Callable[[], bool]) -> Tags:
    """By the general rules. Only what spans rows is looked into: elsewhere nothing is defined that needs a name."""
    tags = Tags({}, [], [], set())
    waiting, visited = [root], 0
    while waiting:
        node = waiting.pop()
        visited += 1
        if visited % _CHECK_EVERY == 0 and late():
            break
        found = definition(node, language) if node is not root and node.is_named else None
        inner = wrapped(node) if node.type in WRAPPERS else None
        if found is not None:
            tags.definitions[node.id] = found
            if inner is None:
                tags.nodes.append(node)
        if node.start_point[0] != node.end_point[0]:
            waiting.extend(node.named_children)
        elif inner is not None:
            inside = definition(inner, language)
            if inside is None or inside.strong:  # not every value given to a name
                waiting.append(inner)
    return tags


def symbols_of(tags: Tags) -> list[Symbol]:
    """Every definition with its qualified name, in the order of the text."""
    symbols: list[Symbol] = []
    around: list[tuple[int, str, str]] = []
    for node in tags.nodes:
        found = tags.definitions[node.id]
        while around and around[-1][0] <= node.start_byte:
            around.pop()
        owner, owner_kind = (around[-1][1], around[-1][2]) if around else ("", "")
        name, kind = named(found, owner, owner_kind)
        if kind not in _UNLISTED and not (kind == "variable" and owner):
            first = _begin(node) + 1
            last = max(first, node.end_point[0] + (1 if node.end_point[1] else 0))
            before = symbols[-1] if symbols else None
            if before is not None and (before.name, before.kind) == (name, kind) and first <= before.end_line + 1:
                # Two nodes for one thing, its next overload, or its next equation.
                symbols[-1] = before._replace(end_line=max(before.end_line, last))
            else:
                symbols.append(Symbol(name, kind, first, last))
        around.append((node.end_byte, name, kind))
    return symbols


def named(found: Definition, owner: str, owner_kind: str) -> tuple[str, str]:
    """Qualified name and kind of a definition right inside another.

    A namespace leaves the name of what is around it; what a test defines is not called by the test's name; and a method
    that says its type already does so once.
    """
    if found.kind == "namespace":
        return owner, found.kind
    kind = "method" if found.kind == "function" and owner_kind in _HOLDS_METHODS else found.kind
    if kind in _GLOBAL or owner_kind == "test" != kind:
        owner = ""
    if not owner or found.name.startswith(owner + "."):
        return found.name, kind
    return f"{owner}.{found.name}"[-_MOST_SYMBOL_CHARS:], kind


def _begin(node: Node) -> int:
    """The row where a definition begins, after its decorators where the grammar has them inside."""
    first = node.child(0) if node.child_count else None
    if first is None or not _decorates(first.type):  # as most: their children need not be made
        return (first or node).start_point[0]
    waiting = [node]
    while waiting:
        inner = waiting.pop()
        if inner is node or inner.type == "modifiers":
            waiting.extend(reversed(inner.children[:_MOST_DECORATIONS]))
        elif not _decorates(inner.type):
            return inner.start_point[0]
    return node.start_point[0]


@cache  # node types are few
def _decorates(kind: str) -> bool:
    return bool(_DECORATION.search(kind))
