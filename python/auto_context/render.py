"""Answers as Markdown, for people and models. Plain data in, text out; standard library only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any


def snippet(item: Mapping[str, Any]) -> str:
    """One snippet of a context: a heading with its place and reason, and its lines in a fence.

    Args:
        item: a ``ContextItem`` as a dictionary.
    """
    place = f"{item['path']}:{item['start_line']}-{item['end_line']}"
    symbol = f" `{item['symbol']}`" if item["symbol"] else ""
    # A fence longer than any inside the text.
    longest = max((len(run) for run in re.findall(r"`{3,}", item["text"])), default=2)
    fence = "`" * (longest + 1)
    return f"### {place}{symbol} ({item['reason']})\n\n{fence}{item['language']}\n{item['text']}\n{fence}\n"


def context(items: Sequence[Mapping[str, Any]]) -> str:
    """A whole context."""
    return "\n".join(snippet(item) for item in items)
