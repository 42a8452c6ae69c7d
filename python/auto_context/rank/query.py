"""What was typed, understood: words, operators and intent. Pure.

Operators: ``path:glob`` ``lang:name`` ``kind:name`` ``since:2w`` ``"exact phrase"`` ``-word`` ``/regex/``. What is no
operator, or one with a value that means nothing, is text.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field, replace
from functools import lru_cache

import regex

from auto_context.rank.intent import INTENTS, Intent, intent_of
from auto_context.rank.tokens import query_words

LONGEST = 4_000
"""Characters. A pasted file is cut: no leg reads further."""
_MOST_WORDS = 64
"""Of a pasted text: every word costs a look into each field."""
_PREFIX_LENGTHS = range(2, 40)
KINDS = {
    "function": "function method", "func": "function method", "fn": "function method", "method": "method",
    "class": "class struct", "struct": "struct", "interface": "interface trait", "trait": "trait interface",
    "enum": "enum", "type": "type class struct interface trait enum", "module": "module", "impl": "impl",
    "heading": "heading", "doc": "heading paragraph", "block": "block",
}  # fmt: skip
"""What ``kind:`` may say, and the kinds of chunks it stands for."""

_TOKEN = re.compile(
    r"(?<!\S)(?:"
    r'"(?P<phrase>[^"]+)"(?!\S)'
    r"|/(?P<regex>(?:[^/\\\s]|\\.)(?:[^/\\]|\\.)*)/(?!\S)"
    r'|(?P<name>path|lang|language|kind|since):(?:"(?P<quoted>[^"]+)"(?!\S)|(?P<value>[^\s"]+))'
    r"|-(?P<without>[^\W\d]\w+)(?!\S)"
    r")"
)
_PLACE = re.compile(
    r'File "(?P<py>[^"]+)", line (?P<pyline>\d+)'
    r"|(?P<path>[\w@./\\+-]*\w\.[A-Za-z]\w{0,9}):(?P<line>\d+)"
)
"""``File "a/b.py", line 3`` of Python; ``a/b.c:3`` of everybody else."""
_AGE = re.compile(r"(\d{1,4})(h|d|w|m|y)$")
_SECONDS = {"h": 3_600, "d": 86_400, "w": 7 * 86_400, "m": 30 * 86_400, "y": 365 * 86_400}


@dataclass(frozen=True, slots=True)
class Query:
    """One query. Filters are empty, or None, where nothing was asked."""

    text: str
    """What the legs look for: the free text, and phrases without their quotes."""
    intent: Intent
    words: tuple[str, ...]
    """Of the text, as the lexical leg looks for them."""
    prefix: str = ""
    """The start of a word still being typed: the last one, until a space follows it."""
    phrases: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    """Words that a hit must not have, lower case."""
    paths: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    kinds: frozenset[str] = frozenset()
    since: float | None = None
    """Seconds since the epoch."""
    pattern: str = ""
    place: tuple[str, int] | None = None
    """A file and a line that the text names, as a traceback does."""

    @property
    def terms(self) -> list[str]:
        """What of it to highlight, lower case: phrases whole, and the beginnings that forms of a word share."""
        found = [phrase.lower() for phrase in self.phrases]
        found += [beginning for word in self.words if len(word) > 1 for beginning in _beginnings(word)]
        return list(dict.fromkeys(found))[:_MOST_TERMS]


_ENDING = re.compile(r"(?<=\w{4})(?:(ies|ied|y)|ing|ed|es|s)$")
_MOST_TERMS = 32


def _beginnings(word: str) -> tuple[str, ...]:
    """What the forms of a word begin with: ``retries`` gives ``retry`` and ``retri``, ``asked`` gives ``ask``."""
    found = _ENDING.search(word) if word.isalpha() else None
    if found is None:
        return (word,)
    stem = word[: found.start()]
    return (stem + "y", stem + "i") if found[1] else (stem,)


@dataclass(slots=True)
class _Parts:
    text: list[str] = field(default_factory=list)
    phrases: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    filters: dict[str, list[str]] = field(default_factory=dict)
    kinds: set[str] = field(default_factory=set)
    since: float | None = None
    pattern: str = ""


def parse(typed: str, now: float) -> Query:
    """Understand a query.

    Args:
        typed: as a person typed it; a space at the end says that its last word is complete.
        now: seconds since the epoch, for ``since:2w``.
    """
    typed = typed[:LONGEST]
    parts = _Parts()
    at = 0
    for found in _TOKEN.finditer(typed):
        parts.text.append(typed[at : found.start()])
        at = found.end()
        if not _operator(found, parts, now):
            parts.text.append(found.group())
    parts.text.append(typed[at:])
    text = "".join(parts.text)
    if not (text.strip() or parts.phrases or parts.pattern) and parts.without:
        # Nothing but words to leave out: a person who types `-v` looks for it.
        text, parts.without = typed, []
    complete = text != text.rstrip() or text.strip() == ""
    text = " ".join([*text.split(), *parts.phrases]) if parts.phrases else text.strip()
    intent = intent_of(text) if text else INTENTS["prose"]
    words = tuple(query_words(text, every=intent.kind == "code"))[:_MOST_WORDS]
    place = _PLACE.search(text)
    if place and intent.kind in ("path", "code"):
        # The very line was named: nothing that merely resembles it comes first.
        intent = replace(INTENTS["path"], kind=intent.kind)
    return Query(
        text=text,
        intent=intent,
        words=words,
        prefix="" if complete or parts.phrases else _prefix(text),
        phrases=tuple(parts.phrases),
        without=tuple(word.lower() for word in parts.without),
        paths=tuple(parts.filters.get("path", ())),
        languages=tuple(parts.filters.get("lang", ())),
        kinds=frozenset(parts.kinds),
        since=parts.since,
        pattern=parts.pattern,
        place=(place["py"] or place["path"], int(place["pyline"] or place["line"])) if place else None,
    )


def _operator(found: re.Match[str], parts: _Parts, now: float) -> bool:
    """Take one operator; False when its value means nothing, so that it is text."""
    if found["name"]:
        return _filter(found["name"], found["quoted"] or found["value"], parts, now)
    if found["without"]:
        parts.without.append(found["without"])
        return True
    if found["phrase"]:
        parts.phrases.append(found["phrase"].strip())
        return bool(parts.phrases[-1]) or bool(parts.phrases.pop())
    if parts.pattern or compiled(found["regex"]) is None:
        return False
    parts.pattern = found["regex"]
    return True


def _filter(name: str, value: str, parts: _Parts, now: float) -> bool:
    if name == "kind":
        parts.kinds.update(KINDS.get(value.lower(), "").split())
        return value.lower() in KINDS
    if name == "since":
        moment = since(value, now)
        parts.since = moment if moment is not None else parts.since
        return moment is not None
    parts.filters.setdefault("lang" if name == "language" else name, []).append(value)
    return True


def _prefix(text: str) -> str:
    last = text.rsplit(None, 1)[-1].lower() if text else ""
    last = re.split(r"\W", last)[-1]
    return last if last.isidentifier() and len(last) in _PREFIX_LENGTHS else ""


def since(value: str, now: float) -> float | None:
    """``3h``, ``2w``, ``6m``, ``today``, ``yesterday`` or ``2026-05-01`` as seconds since the epoch, else None."""
    value = value.lower()
    age = _AGE.match(value)
    if age:
        return now - int(age[1]) * _SECONDS[age[2]]
    today = dt.datetime.fromtimestamp(now).astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    if value in ("today", "yesterday"):
        return today.timestamp() - (_SECONDS["d"] if value == "yesterday" else 0)
    try:
        return dt.datetime.fromisoformat(value).astimezone().timestamp()
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=64)
def compiled(pattern: str) -> regex.Pattern[str] | None:
    """A pattern, case-insensitive unless it has a capital; None when it is none.

    ``regex`` and not ``re``: a search can be given a time limit, and lets other threads run.
    """
    flags = regex.MULTILINE | (0 if re.search(r"(?<!\\)[A-Z]", pattern) else regex.IGNORECASE)
    try:
        return regex.compile(pattern, flags)
    except (regex.error, RecursionError, OverflowError):
        return None


def has_phrase(text: str, phrase: str) -> bool:
    """Whether a text has a phrase, whatever its spaces; case counts when the phrase has a capital."""
    parts = r"\s+".join(re.escape(part) for part in phrase.split())
    return re.search(parts, text, 0 if phrase != phrase.lower() else re.IGNORECASE) is not None
