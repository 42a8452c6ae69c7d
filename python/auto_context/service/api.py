"""What client and server agree on. Standard library only."""

from __future__ import annotations

PROTOCOL = 1
"""Major version of the HTTP API. Services of two majors live side by side."""

LONGEST_TARGET = 1 << 20
"""Bytes of a path with its parameters. A query of 100,000 characters fits, escaped; legs read only its beginning."""

LEASE_TTL_S = 90
"""A lease that is not renewed for this long is over."""


def release(version: str) -> tuple[int, ...]:
    """The numbers of a version, for comparison; what follows them is ignored."""
    numbers = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)
