"""What kind of query it is, and what each leg is then worth."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["symbol", "path", "prose", "code", "mixed"]

_IDENTIFIER = re.compile(r"^[A-Za-z_$][\w$]*(?:(?:\.|::|#|->|/)[A-Za-z_$][\w$]*)*(?:\(\))?[!?]?$")
_FILE_NAME = re.compile(
    r"^[\w@.+*-]+\.(?:bash|bat|bin|c|cc|cfg|cmake|conf|cpp|cs|css|csv|cxx|dart|ex|exs|fish|go|gradle|h|hpp|hs|html?|ini|"
    r"java|jpe?g|js|json|jsx|kts?|lock|lua|md|ml|mjs|nix|pdf|php|pl|png|proto|py|pyi|r|rb|rs|rst|sass|scala|scss|sh|sql|"
    r"svelte|svg|swift|tex|tf|toml|tsx?|txt|vim|vue|xml|ya?ml|zig|zsh)$",
    re.IGNORECASE,
)
"""Without a list, ``a.b.c`` would be a file; one missing here makes a query a symbol, which finds files too."""
_CODE_MARKS = re.compile(r"[A-Za-z]_[A-Za-z]|[a-z][A-Z]|::|->|\(\)|\.\w+\(|[{};=<>]")


_FILE_LINE = re.compile(r"^[\w@./\\+-]*\w\.[A-Za-z]\w{0,9}:\d+(?::\d+)?:?$")
_DOTTED = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+\.[a-z]$")
"""``a.b.c`` is a name, however many languages have endings of one letter."""
_URL = re.compile(r"^[a-z][a-z+.-]*://")
_TRACE = re.compile(r'File "[^"]+", line \d+|^\s*at \S+ ?\(?\S*:\d+|^\s*#\d+ +0x|^[\w.]+(?:Error|Exception): ')
_PUNCTUATION = re.compile(r"[(){}\[\];=<>|&+*%!^~]|::|->|=>|\.\w|,|:$|\w_\w")
_STATEMENT = re.compile(
    r"[;{}]\s*$|^\s*(?:def|class|fn|func|function|local|let|const|var|val|return|if|for|while|import|from|pub|static|public|"
    r"private|async|await|export|type|struct|impl|use|package|#include|@\w+)\b.*[(){}\[\]=:;]"
)
_ASSIGNMENT = re.compile(r"\s*[\w.\[\]'\"]+\s*[-+*/|&]?=\s*\S")
_CODE_PUNCTUATION, _ASSIGNMENT_PUNCTUATION = 3, 2


@dataclass(frozen=True, slots=True)
class Intent:
    """The kind of a query and the fusion weight of each leg."""

    kind: Kind
    lexical: float
    path: float
    vector: float
    static: float = 0.0
    """Besides the transformer's; where that has no vector the static one takes its weight as well."""

    def without_vector(self) -> Intent:
        """The same while the transformer cannot say what the query means: static vectors take its weight."""
        return replace(self, vector=0.0, static=self.static + self.vector)

    def covered(self, coverage: float) -> Intent:
        """The same where only a part of the chunks has vectors: what the others find is then not outvoted by it.

        Args:
            coverage: that part, 0 to 1.
        """
        return replace(self, vector=self.vector * coverage)

    def weight(self, leg: str) -> float:
        """The weight of a leg by its name."""
        value: float = getattr(self, leg)
        return value


INTENTS = {
    "symbol": Intent("symbol", lexical=1.0, path=0.5, vector=0.5),
    "path": Intent("path", lexical=0.3, path=1.5, vector=0.2),
    "prose": Intent("prose", lexical=0.6, path=0.05, vector=1.0),
    "code": Intent("code", lexical=1.2, path=0.3, vector=0.6),
    "similar": Intent("code", lexical=0.4, path=0.0, vector=1.0),
    "mixed": Intent("mixed", lexical=0.9, path=0.3, vector=0.9),
}


def intent_of(query: str) -> Intent:
    """Guess from the shape of the query alone.

    One name is a symbol; a slash or a file extension is a path; a line of a program or of a traceback is code; several
    plain words are prose; several words with code in them are mixed.
    """
    text = query.strip()
    if not re.search(r"\s", text):
        is_name = _FILE_NAME.match(text) and not _DOTTED.match(text)
        if ("/" in text and not _URL.match(text)) or is_name or _FILE_LINE.match(text):
            return INTENTS["path"]
        if _IDENTIFIER.match(text):
            return INTENTS["symbol"]
        return INTENTS["code" if len(_PUNCTUATION.findall(text)) >= _CODE_PUNCTUATION else "mixed"]
    if _TRACE.search(text) or _is_code(text):
        return INTENTS["code"]
    if _CODE_MARKS.search(text) or any("/" in word and len(word) > 1 for word in text.split()):
        return INTENTS["mixed"]
    return INTENTS["prose"]


def _is_code(text: str) -> bool:
    """More punctuation than a sentence has, or a line that begins or ends as statements do."""
    marks = len(_PUNCTUATION.findall(text))
    if marks >= _ASSIGNMENT_PUNCTUATION and _ASSIGNMENT.match(text):
        return True
    return marks >= _CODE_PUNCTUATION and (marks >= len(text.split()) or bool(_STATEMENT.search(text)))
