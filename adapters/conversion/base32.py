"""The 32 characters of Bech32 and CashAddr, and bytes regrouped into five bits and back.

Source: BIP173; the CashAddr specification uses the same.
"""

from collections.abc import Sequence
from typing import Final

from understudy.adapters.conversion.unreadable import Unreadable, named

ALPHABET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_PADDING_BITS: Final = 4
"""The most bits that may be left over behind whole bytes: five would be a character too many."""


def characters(values: Sequence[int]) -> str:
    """Five-bit values as text."""
    return "".join(ALPHABET[value] for value in values)


def values(text: str) -> list[int]:
    """Text, in lower case, as five-bit values.

    Errors: Unreadable, which names the character that is none of the 32.
    """
    found = [ALPHABET.find(character) for character in text]
    if -1 in found:
        raise Unreadable(f"it contains {named(text[found.index(-1)])}, which does not occur in such an address")
    return found


def one_case(text: str) -> str:
    """The text in lower case: capitals alone serve QR codes, a mixture is a mistake.

    Errors: Unreadable if it mixes the two.
    """
    if text != text.lower() and text != text.upper():
        raise Unreadable("it mixes capital and small letters; write all of it small")
    return text.lower()


def regrouped(data: bytes) -> list[int]:
    """Bytes as five-bit values, the last one filled up with zero bits."""
    bits = len(data) * 8
    count = -(-bits // 5)
    number = int.from_bytes(data) << (count * 5 - bits)
    return [number >> 5 * place & 31 for place in reversed(range(count))]


def whole_bytes(groups: Sequence[int]) -> bytes:
    """Five-bit values as bytes again.

    Errors: Unreadable where what is left behind the last whole byte is a whole value, or not zero.
    """
    number = 0
    for group in groups:
        number = number << 5 | group
    count, left = divmod(len(groups) * 5, 8)
    if left > _PADDING_BITS or number & ((1 << left) - 1):
        raise Unreadable("its last character cannot be the end of such an address")
    return (number >> left).to_bytes(count)
