"""What kind of query it is, and what each leg is then worth."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["symbol", "path", "prose", "mixed"]

_IDENTIFIER = re.compile(r"^[A-Za-z_$][\w$]*(?:(?:\.|::|#|->|/)[A-Za-z_$][\w$]*)*(?:\(\))?[!?]?$")
_FILE_NAME = re.compile(
    r"^[\w@.+*-]+\.(?:bash|bat|bin|c|cc|cfg|cmake|conf|cpp|cs|css|csv|cxx|dart|ex|exs|fish|go|gradle|h|hpp|hs|html?|ini|"
    r"java|jpe?g|js|json|jsx|kts?|lock|lua|md|ml|mjs|nix|pdf|php|pl|png|proto|py|pyi|r|rb|rs|rst|sass|scala|scss|sh|sql|"
    r"svelte|svg|swift|tex|tf|toml|tsx?|txt|vim|vue|xml|ya?ml|zig|zsh)$",
    re.IGNORECASE,
)
"""Without a list, ``a.b.c`` would be a file; one missing here makes a query a symbol, which finds files too."""
_CODE_MARKS = re.compile(r"[A-Za-z]_[A-Za-z]|[a-z][A-Z]|::|->|\(\)|\.\w+\(|[{};=<>]")


@dataclass(frozen=True, slots=True)
class Intent:
    """The kind of a query and the fusion weight of each leg."""

    kind: Kind
    lexical: float
    path: float
    vector: float

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
