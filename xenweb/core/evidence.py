"""Canonical form and hash chain: why an old record can be believed.

A record's hash covers its canonical form and the hash of the record before it,
so that changing, dropping or swapping any of them breaks every later hash.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xenweb.core.placement import Fact

Content = Mapping[str, "Fact | Content"]

GENESIS = "0" * 64
"""What the first record of a chain has for a previous hash."""


def canonical(content: Content) -> bytes:
    """Write content as UTF-8 JSON in the one form there is: keys sorted, no spaces.

    Raises ValueError for NaN, infinities and text that UTF-8 cannot hold.
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def chained(previous: str, content: Content) -> str:
    """Hash a record together with the hash before it, both and the answer as hex SHA-256."""
    return hashlib.sha256(bytes.fromhex(previous) + canonical(content)).hexdigest()


@dataclass(frozen=True, slots=True)
class Link:
    """One record as it was read back: its place, its two hashes and its content."""

    sequence: int
    previous: str
    hash: str
    content: Content


@dataclass(frozen=True, slots=True)
class Break:
    """The first record at which a chain does not hold, and what is wrong with it."""

    sequence: int
    sentence: str


def first_break(links: Iterable[Link]) -> Break | None:
    """Walk a chain from its first record and say where it stops holding, if it does."""
    previous, expected = GENESIS, 1
    for link in links:
        if link.sequence != expected:
            return Break(expected, f"Record {expected} is missing: {link.sequence} is there instead.")
        if link.previous != previous:
            return Break(expected, f"Record {expected} does not follow the record before it.")
        if chained(previous, link.content) != link.hash:
            return Break(expected, f"Record {expected} is not what was written.")
        previous, expected = link.hash, expected + 1
    return None
