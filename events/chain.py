"""The hash chain: each event's value covers the one before, so nothing can be changed, moved or left out unseen.

    chain(0) = SHA-256("understudy:" + stream)
    chain(n) = SHA-256(chain(n-1) + row(n) as a compact JSON array)

Anyone can recompute it with a JSON encoder and SHA-256. It does not show a cut-off tail or a rewrite of everything: for
that, compare the head with one noted elsewhere.
"""

import hashlib

from pydantic_core import to_json

from understudy.events.row import Row


def genesis(stream: str) -> bytes:
    """The chain value before the first event of a stream."""
    return hashlib.sha256(b"understudy:" + stream.encode()).digest()


def link(previous: bytes, row: Row) -> bytes:
    """The chain value of a row, 32 bytes."""
    return hashlib.sha256(previous + to_json(tuple(row))).digest()
