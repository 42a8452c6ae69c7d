"""What kind of query it is, and what each leg is then worth."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["symbol", "path", "prose", "mixed"]

_IDENTIFIER = re.compile(r"^[A-Za-z_$][\w$]*(?:(?:\.|::|#|->|/)[A-Za-z_$][\w$]*)*(?:\(\))?[!?]?$")
_FILE_NAME = re.compile(r"^[\w@.+*-]+\.[A-Za-z][A-Za-z0-9]{0,9}$")
_CODE_MARKS = re.compile(r"[A-Za-z]_[A-Za-z]|[a-z][A-Z]|::|->|\(\)|\.\w+\(|[{};=<>]")


@dataclass(frozen=True, slots=True)
class Intent:
    """The kind of a query and the fusion weight of each leg."""

    kind: Kind
    lexical: float
    path: float
    vector: float

    def weight(self, leg: str) -> float:
        """The weight of a leg by its name."""
        value: float = getattr(self, leg)
        return value


_INTENTS = {
    "symbol": Intent("symbol", lexical=1.0, path=0.5, vector=0.5),
    "path": Intent("path", lexical=0.3, path=1.5, vector=0.2),
    "prose": Intent("prose", lexical=0.6, path=0.15, vector=1.0),
    "mixed": Intent("mixed", lexical=0.9, path=0.3, vector=0.9),
}


def intent_of(query: str) -> Intent:
    """Guess from the shape of the query alone.

    One name is a symbol; a slash or a file extension is a path; several plain words are prose; several words
    with code in them are mixed.
    """
    text = query.strip()
    if " " not in text:
        if "/" in text or _FILE_NAME.match(text):
            return _INTENTS["path"]
        if _IDENTIFIER.match(text):
            return _INTENTS["symbol"]
        return _INTENTS["mixed"]
    if _CODE_MARKS.search(text) or any("/" in word and len(word) > 1 for word in text.split()):
        return _INTENTS["mixed"]
    return _INTENTS["prose"]
