"""Texts that would take the whole process down with the parser, found by trying every grammar with hostile input.

Scanners written by hand for one grammar keep how deep they are in a buffer of fixed size, and some write past its end.
Nobody nests this deep, except to see what happens.
"""

from __future__ import annotations

import re

UNSAFE_GRAMMARS = frozenset({"agda", "cobol"})
"""agda's scanner crashes on a row of quotes; cobol's never ends on input that is not COBOL."""

_MOST_BLOCKS = 100
"""YAML's scanner crashes from about 250 open blocks on."""
_MOST_TEMPLATES = 40
"""Perl's scanner crashes from about 90 open templates in strings on, Kotlin's from some hundreds."""
_MARKS = re.compile(r" *(?:[-?:](?: +|$))*")
_MARK = re.compile(r"[-?:]")
_TEMPLATE = re.compile(r"[$@]\{|\}")


def is_unsafe(text: str, language: str) -> bool:
    """Whether a text must not be given to the grammar of its language."""
    if language in UNSAFE_GRAMMARS:
        return True
    if language == "yaml":
        return _blocks(text) > _MOST_BLOCKS
    if language in {"kotlin", "perl"}:
        return _templates(text) > _MOST_TEMPLATES
    return False


def _blocks(text: str) -> int:
    """How many blocks of YAML are open at most: columns where a key or one of the marks ``- ? :`` begins."""
    most, columns = 0, [-1]
    for line in text.split("\n"):
        found = _MARKS.match(line)
        lead = found[0] if found else ""
        if not line.strip():
            continue
        for column in (*(mark.start() for mark in _MARK.finditer(lead)), len(lead)):
            while columns[-1] >= column:
                columns.pop()
            columns.append(column)
            most = max(most, len(columns))
    return most


def _templates(text: str) -> int:
    """How many ``${`` or ``@{`` are open at most."""
    most = depth = 0
    for found in _TEMPLATE.finditer(text):
        depth = depth + 1 if found[0] != "}" else max(0, depth - 1)
        most = max(most, depth)
    return most
