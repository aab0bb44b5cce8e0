"""Keys and hashes that are functions of a request: the same on every attempt, in every replay."""

import hashlib
import json
from typing import Any


def provider_key(request_id: str, provider: str, part: str = "call") -> str:
    """The idempotency key that a provider sees, 32 hex digits: the same on every try of a request at that provider."""
    return hashlib.sha256(f"{request_id}/{provider}/{part}".encode()).hexdigest()[:32]


def body_hash(content: Any, salt: bytes) -> str:
    """What tells a repeated request from another one under the same key: the salted SHA-256 of its JSON, in hex.

    `content` is plain JSON; the order in which a caller names things does not matter.
    """
    return hashlib.sha256(salt + json.dumps(content, sort_keys=True).encode()).hexdigest()
