"""Putting the pieces of a syntax tree together to chunks: definitions stay apart, what is tiny joins its neighbour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from auto_context.chunk.kinds import plain_kind
from auto_context.chunk.lines import Lines
from auto_context.chunk.tags import named
from auto_context.types import Chunk

if TYPE_CHECKING:
    from auto_context.chunk.symbols import Definition

_TINY = 160
"""Characters. A smaller definition joins other small ones."""
_CRUMB = 80
"""Characters. Fewer that define nothing (a closing brace, a ``return M``) are no chunk of their own."""
_STRETCH = 1.25
"""How much larger than the budget a chunk may be to keep a definition's first line with what follows it."""
_DOMINANT = 0.5
_HEADED = frozenset({"class", "struct", "interface", "trait", "enum", "module", "impl"})
"""Kinds whose beginning is a chunk of its own when the whole is too large for one."""


class Owner(NamedTuple):
    """The definition that a piece lies in: its path, kind, first row, and a number that tells it from others."""

    symbol: str
    kind: str
    row: int
    number: int
    found: Definition | None = None

    def enter(self, found: Definition, row: int, number: int) -> Owner:
        """The owner of what lies inside a definition of this one; itself when that is what a wrapper stood for."""
        return self if found == self.found else Owner(*self.name(found), row, number + 1, found)

    def name(self, found: Definition) -> tuple[str, str]:
        """Qualified name and kind of a definition of this one."""
        return (self.symbol, self.kind) if found == self.found else named(found, self.symbol, self.kind)


class Atom(NamedTuple):
    """Rows that are not cut, what they define, and whether they only introduce what comes next (a comment)."""

    first: int
    last: int
    owner: Owner
    found: Definition | None
    leading: bool


@dataclass(slots=True)
class _Group:
    """Atoms that will be one chunk."""

    first: int
    last: int
    atoms: list[Atom]
    strong: int
    """Characters of its largest definition."""
    introduces: bool
    """Whether it has only comments so far."""


def merge_atoms(atoms: list[Atom], lines: Lines, max_chars: int) -> list[Chunk]:
    """Chunks that cover every line, in order.

    Args:
        atoms: in the order of the text; they may share rows.
        lines: the text.
        max_chars: how large a chunk may be.
    """
    groups = _drop_crumbs(_group(atoms, lines, max_chars), lines, max_chars)
    chunks: list[Chunk] = []
    first = 0
    for at, group in enumerate(groups):
        last = groups[at + 1].first - 1 if at + 1 < len(groups) else lines.count - 1
        if last < first:
            continue
        kind, symbol = _label(group, lines)
        kind = plain_kind(kind)
        rows = [(first, last)]
        if lines.size(first, last) > max_chars * _STRETCH:
            # Rows between nodes that the grammar passed over.
            rows = lines.windows(first, last, max_chars)
        chunks.extend(Chunk(start + 1, end + 1, kind, symbol) for start, end in rows)
        first = last + 1
    return chunks


def _group(atoms: list[Atom], lines: Lines, max_chars: int) -> list[_Group]:
    groups: list[_Group] = []
    for atom, bound in zip(atoms, _bound(atoms), strict=True):
        found = atom.found
        strong = lines.size(atom.first, atom.last) if found is not None and found.strong else 0
        group = groups[-1] if groups else None
        begins = group is None or (bound and atom.first > group.last and not group.introduces)
        if group is None or begins or not _joins(group, atom, strong, lines, max_chars):
            groups.append(_Group(atom.first, atom.last, [atom], strong, atom.leading))
            continue
        group.last = max(group.last, atom.last)
        group.atoms.append(atom)
        group.strong = max(group.strong, strong)
        group.introduces = group.introduces and atom.leading
    return groups


def _bound(atoms: list[Atom]) -> list[bool]:
    """Whether each is a comment, or one of several, right above a definition."""
    bound = [False] * len(atoms)
    for at in range(len(atoms) - 2, -1, -1):
        one, two = atoms[at], atoms[at + 1]
        if not one.leading or two.first > one.last + 1:
            continue
        opened = two.owner.row == two.first and two.owner.number != one.owner.number
        bound[at] = bound[at + 1] or opened or (two.found is not None and two.found.strong)
    return bound


def _joins(group: _Group, atom: Atom, strong: int, lines: Lines, max_chars: int) -> bool:
    if atom.first <= group.last:
        return True
    size = lines.size(group.first, max(group.last, atom.last))
    if size > max_chars:
        return False
    before = group.atoms[-1].owner
    if group.introduces and not _apart(group, atom, lines):
        return True
    if atom.leading:
        # A comment goes with what follows it, or with what it stands right below when that is no definition.
        return not group.strong and atom.owner is before and _is_trailing(group, atom)
    same = atom.owner.number == before.number
    if strong or group.strong:
        tiny = max(strong, group.strong) < _TINY and min(strong, group.strong) > 0
        return same and tiny and size <= max_chars // 2
    return same


def _apart(group: _Group, atom: Atom, lines: Lines) -> bool:
    """Whether a blank row is between a group and what follows it."""
    return any(lines.blank(row) for row in range(group.last + 1, atom.first))


def _is_trailing(group: _Group, atom: Atom) -> bool:
    return atom.first == group.last + 1 and not group.introduces and atom.last == atom.first


def _drop_crumbs(groups: list[_Group], lines: Lines, max_chars: int) -> list[_Group]:
    """Join what is too small to mean anything: with what it introduces or opens, else with what it ends."""
    kept = groups[:1]
    for group in groups[1:]:
        previous = kept[-1]
        size = lines.size(previous.first, group.last)
        if size <= max_chars * _STRETCH and (
            (_is_crumb(group, lines) and not group.introduces and size <= max_chars and not _is_header(group))
            or (
                _is_crumb(previous, lines) and not _is_head(previous) and (size <= max_chars or _opens(previous, group))
            )
        ):
            kept[-1] = _joined(previous, group)
        else:
            kept.append(group)
    return kept


def _is_crumb(group: _Group, lines: Lines) -> bool:
    return not group.strong and lines.size(group.first, group.last) < _CRUMB


def _is_header(group: _Group) -> bool:
    """Whether a group is the beginning of a definition that had to be opened."""
    return any(group.first <= atom.owner.row <= group.last for atom in group.atoms)


def _is_head(group: _Group) -> bool:
    """Whether a group is the beginning of a type, which stands for the whole of it."""
    last = group.atoms[-1].owner
    return last.kind in _HEADED and group.first <= last.row <= group.last


def _opens(group: _Group, following: _Group) -> bool:
    return group.introduces or (_is_header(group) and group.atoms[-1].owner.number == following.atoms[0].owner.number)


def _joined(one: _Group, other: _Group) -> _Group:
    return _Group(
        one.first, max(one.last, other.last), one.atoms + other.atoms, max(one.strong, other.strong), other.introduces
    )


def _label(group: _Group, lines: Lines) -> tuple[str, str]:
    """Kind and symbol: of its largest definition, else of the definition it is a part of."""
    best, most = None, 0
    for atom in group.atoms:
        size = lines.size(atom.first, atom.last)
        if atom.found is not None and size > most and (atom.found.strong or not group.strong):
            best, most = atom, size
    share = most / lines.size(group.first, group.last)
    if best is not None and best.found is not None and (best.found.strong or share > _DOMINANT):
        symbol, kind = best.owner.name(best.found)
        return kind, symbol
    owners = [atom.owner for atom in group.atoms if atom.owner.symbol]
    for owner in owners:
        if group.first <= owner.row <= group.last:
            return owner.kind, owner.symbol
    return "block", owners[0].symbol if owners else ""
