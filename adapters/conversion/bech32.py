"""Bech32 and Bech32m: a prefix, the separator `1`, five-bit values and six characters of checksum.

Source: BIP173 (Bech32), BIP350 (Bech32m: the same with another constant). Any four wrong characters are noticed.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from understudy.adapters.conversion import base32
from understudy.adapters.conversion.bch import Bch
from understudy.adapters.conversion.unreadable import BAD_CHECKSUM, Unreadable, named

LONGEST: Final = 90
"""Characters; beyond them the checksum does not promise to notice four errors."""
_CODE: Final = Bch(6, (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3))


class Variant(IntEnum):
    """The two checksums; the number is what a valid text's remainder is."""

    BECH32 = 1
    BECH32M = 0x2BC830A3


@dataclass(frozen=True, slots=True, kw_only=True)
class Bech32:
    """What a text holds: prefix in lower case, five-bit values without the checksum, and whose checksum that was."""

    prefix: str
    values: tuple[int, ...]
    variant: Variant


def encode(content: Bech32) -> str:
    """The text, in lower case."""
    checksum = _CODE.checksum([*_expanded(content.prefix), *content.values], remainder=content.variant)
    return f"{content.prefix}1{base32.characters([*content.values, *checksum])}"


def decode(text: str) -> Bech32:
    """What a text holds, whichever of the two checksums it has.

    Errors: Unreadable for mixed case, a strange character, a missing part, too great a length, a wrong checksum.
    """
    if len(text) > LONGEST:
        raise Unreadable(f"it has {len(text)} characters; {LONGEST} are the most that there may be")
    for character in text:
        if not "!" <= character <= "~":
            raise Unreadable(f"it contains {named(character)}, which does not occur in such an address")
    prefix, separator, data = base32.one_case(text).rpartition("1")
    if not (separator and prefix):
        raise Unreadable("it lacks the prefix that ends in 1")
    values = base32.values(data)
    if len(values) < _CODE.characters:
        raise Unreadable("it is too short: characters are missing at the end")
    variant = _CODE.remainder(_expanded(prefix) + values)
    if variant not in tuple(Variant):
        raise Unreadable(BAD_CHECKSUM)
    return Bech32(prefix=prefix, values=tuple(values[: -_CODE.characters]), variant=Variant(variant))


def _expanded(prefix: str) -> list[int]:
    """The prefix as the checksum sees it: the upper bits of each character, a zero, the lower bits of each."""
    codes = prefix.encode("ascii")
    return [*(code >> 5 for code in codes), 0, *(code & 31 for code in codes)]
