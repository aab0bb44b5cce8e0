"""Base58, and Base58Check with its four checksum bytes, as Bitcoin introduced them; XRP orders its alphabet anew.

Source: Bitcoin Core `base58.h`; XRP Ledger, "base58 encodings".
"""

from hashlib import sha256
from typing import Final

from understudy.adapters.conversion.unreadable import BAD_CHECKSUM, Unreadable, named

BITCOIN: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
RIPPLE: Final = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
_CHECKSUM_BYTES: Final = 4


def encode(data: bytes, *, alphabet: str = BITCOIN) -> str:
    """Bytes as Base58: a number in base 58, behind one zero digit for each leading zero byte."""
    number = int.from_bytes(data)
    digits = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(alphabet[digit])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return alphabet[0] * zeros + "".join(reversed(digits))


def decode(text: str, *, alphabet: str = BITCOIN) -> bytes:
    """The bytes that a Base58 text stands for. The work grows with the square of its length: limit that first.

    Errors: Unreadable, which names the character that is none of the alphabet.
    """
    number = 0
    for character in text:
        digit = alphabet.find(character)
        if digit < 0:
            raise Unreadable(f"it contains {named(character)}, which Base58 does not use")
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip(alphabet[0]))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)


def encode_checked(payload: bytes, *, alphabet: str = BITCOIN) -> str:
    """A payload (version included) and its checksum as Base58."""
    return encode(payload + _checksum(payload), alphabet=alphabet)


def decode_checked(text: str, *, alphabet: str = BITCOIN) -> bytes:
    """The payload (version included) of a Base58Check text.

    Errors: Unreadable for a strange character, and for a checksum that is wrong or not there.
    """
    data = decode(text, alphabet=alphabet)
    payload, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    if checksum != _checksum(payload):
        raise Unreadable(BAD_CHECKSUM)
    return payload


def _checksum(payload: bytes) -> bytes:
    return sha256(sha256(payload).digest()).digest()[:_CHECKSUM_BYTES]
