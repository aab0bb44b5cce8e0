"""CashAddr, the addresses of Bitcoin Cash: a prefix, a colon, a kind, a hash and eight characters of checksum.

Source: the CashAddr specification of Bitcoin Cash, 1.1. Any five wrong characters are noticed.
"""

from dataclasses import dataclass
from typing import Final

from understudy.adapters.conversion import base32
from understudy.adapters.conversion.bch import Bch
from understudy.adapters.conversion.unreadable import BAD_CHECKSUM, Unreadable

_CODE: Final = Bch(8, (0x98F2BC8E61, 0x79B76D99E2, 0xF33E5FB3C4, 0xAE2EABE2A8, 0x1E4F43E470))
_VALID: Final = 1
"""What a valid address leaves."""
_HASH_BYTES: Final = (20, 24, 28, 32, 40, 48, 56, 64)
"""How long the hash is, by the three lowest bits of the first byte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CashAddress:
    """What an address stands for: `kind` 0 pays to a key's hash, 1 to a script's; other kinds are somebody else's."""

    kind: int
    hash: bytes


def encode(destination: CashAddress, *, prefix: str) -> str:
    """The address, in lower case, with its prefix."""
    first = destination.kind << 3 | _HASH_BYTES.index(len(destination.hash))
    values = base32.regrouped(bytes([first]) + destination.hash)
    checksum = _CODE.checksum([*_expanded(prefix), *values], remainder=_VALID)
    return f"{prefix}:{base32.characters([*values, *checksum])}"


def decode(address: str, *, prefix: str) -> CashAddress:
    """What an address with this prefix, written or left out, stands for.

    Errors: Unreadable for whatever the specification forbids.
    """
    data = whole_bytes(address, prefix=prefix)
    if not data:
        raise Unreadable("it is empty between prefix and checksum")
    first, content = data[0], data[1:]
    if first >> 7 or len(content) != _HASH_BYTES[first & 7]:
        raise Unreadable(f"it holds {len(content)} bytes, which does not fit its first character")
    return CashAddress(kind=first >> 3, hash=content)


def whole_bytes(address: str, *, prefix: str) -> bytes:
    """The bytes between prefix and checksum, whatever they mean."""
    return base32.whole_bytes(checked_values(address, prefix=prefix))


def checked_values(address: str, *, prefix: str) -> list[int]:
    """The five-bit values between prefix and checksum, whatever they mean.

    Errors: Unreadable for a mixture of cases, another prefix, a strange character, a wrong checksum.
    """
    before, colon, text = base32.one_case(address).rpartition(":")
    if colon and before != prefix:
        raise Unreadable(f"it does not begin with {prefix}:")
    values = base32.values(text)
    if len(values) < _CODE.characters:
        raise Unreadable("it is too short: characters are missing at the end")
    if _CODE.remainder([*_expanded(prefix), *values]) != _VALID:
        raise Unreadable(BAD_CHECKSUM)
    return values[: -_CODE.characters]


def _expanded(prefix: str) -> list[int]:
    """The prefix as the checksum sees it: the lower bits of each character, and a zero for the colon."""
    return [*(code & 31 for code in prefix.encode("ascii")), 0]
