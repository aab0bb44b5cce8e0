"""The forms that addresses have: how each is known at first sight, and read.

Shape: `claims` tells by a glance whether a text means to be of this form, so that a mistyped one is told what is wrong
with it; `read` gives the address as it is to be sent. `looks` is how people know it.
Errors: `read` raises Unreadable.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Protocol

from understudy.adapters.conversion import base58, cashaddr, eip55, segwit
from understudy.adapters.conversion.unreadable import BAD_CHECKSUM, Unreadable
from understudy.adapters.conversion.xrp import decode_x_address

_HASH_BYTES: Final = 20
_HEX: Final = re.compile(r"[0-9a-fA-F]+")
_EVM_DIGITS: Final = 40
_EVM_BURNS: Final = frozenset({"0" * 40, "dead".rjust(40, "0")})
_SOLANA_BYTES: Final = 32
_SOLANA_LENGTHS: Final = range(32, 45)
_CASH_KINDS: Final = frozenset({(0, 20), (1, 20), (1, 32)})
"""Payable kinds of Bitcoin Cash with the bytes of their hash: to a key, to a script, to a script since May 2023."""
_SHORTEST_CASH: Final = 35
"""Characters that no other coin's address that begins with a small q or p has."""
_NOBODYS: Final = "it is the zero address: what is sent there is lost"


class Form(Protocol):
    """One way in which addresses of a network are written."""

    @property
    def looks(self) -> str:
        """How people know it: `bc1…`."""

    def claims(self, text: str) -> bool:
        """Whether a text means to be of this form."""

    def read(self, text: str) -> str:
        """The address as it is to be sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Base58Form:
    """One byte of version and a hash of 20 bytes, in Base58Check; the version decides the first character."""

    version: int
    firsts: str
    alphabet: str = base58.BITCOIN

    @property
    def looks(self) -> str:
        """The characters that it begins with."""
        return " or ".join(f"{first}…" for first in self.firsts)

    def claims(self, text: str) -> bool:
        """By its first character."""
        return text[0] in self.firsts

    def read(self, text: str) -> str:
        """As it is: capitals count."""
        payload = base58.decode_checked(text, alphabet=self.alphabet)
        if len(payload) != 1 + _HASH_BYTES or payload[0] != self.version:
            raise Unreadable("it is something else in the same encoding: a key, perhaps, or another coin's address")
        _refuse_zero(payload[1:])
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class SegwitForm:
    """A witness program in Bech32 or Bech32m, behind the network's prefix."""

    prefix: str

    @property
    def looks(self) -> str:
        """The prefix."""
        return f"{self.prefix}1…"

    def claims(self, text: str) -> bool:
        """By its prefix."""
        return text.lower().startswith(f"{self.prefix}1")

    def read(self, text: str) -> str:
        """In small letters."""
        _refuse_zero(segwit.decode(text, prefix=self.prefix).program)
        return text.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class CashForm:
    """CashAddr; the prefix may be left out, and is added."""

    prefix: str

    @property
    def looks(self) -> str:
        """The prefix, and the two kinds."""
        return f"{self.prefix}:q… or {self.prefix}:p…"

    def claims(self, text: str) -> bool:
        """By its prefix; where that is left out, by its first character."""
        prefix, colon, rest = text.lower().rpartition(":")
        return prefix == self.prefix if colon else len(rest) > _SHORTEST_CASH and rest[0] in "qpzr"

    def read(self, text: str) -> str:
        """In small letters, with its prefix."""
        destination = cashaddr.decode(text, prefix=self.prefix)
        if (destination.kind, len(destination.hash)) not in _CASH_KINDS:
            raise Unreadable(
                "it is for tokens, or of a kind that is not known; pass the wallet's plain address (q… or p…)"
            )
        _refuse_zero(destination.hash)
        return cashaddr.encode(destination, prefix=self.prefix)


@dataclass(frozen=True, slots=True)
class EvmForm:
    """Ethereum's and its like: `0x` and forty hexadecimal digits, whose capitals are a checksum (EIP-55)."""

    @property
    def looks(self) -> str:
        """The same on all of these networks."""
        return "0x…"

    def claims(self, text: str) -> bool:
        """By `0x`, or by its length where that is missing."""
        return text[:2] in {"0x", "0X"} or (len(text) == _EVM_DIGITS and _HEX.fullmatch(text) is not None)

    def read(self, text: str) -> str:
        """With the capitals of its checksum."""
        if not text.startswith("0x"):
            raise Unreadable("it must begin with 0x")
        digits = text[2:]
        if len(digits) != _EVM_DIGITS or not _HEX.fullmatch(digits):
            raise Unreadable(f"it must have {_EVM_DIGITS} hexadecimal digits behind 0x")
        address = eip55.checksummed(digits)
        if digits not in {digits.lower(), digits.upper()} and text != address:
            raise Unreadable(f"{BAD_CHECKSUM} (EIP-55: which letters are capital is the checksum)")
        if digits.lower() in _EVM_BURNS:
            raise Unreadable("it is an address that nobody has the key of: what is sent there is lost")
        return address


@dataclass(frozen=True, slots=True)
class SolanaForm:
    """Solana's: 32 bytes in Base58. There is no checksum in it, so that a mistyped one often passes."""

    @property
    def looks(self) -> str:
        """Nothing that they begin with."""
        return "32 to 44 characters of Base58"

    def claims(self, text: str) -> bool:
        """By its length."""
        return len(text) in _SOLANA_LENGTHS and not EvmForm().claims(text)

    def read(self, text: str) -> str:
        """As it is: capitals count."""
        data = base58.decode(text)
        if len(data) != _SOLANA_BYTES:
            raise Unreadable(f"it holds {len(data)} bytes; an address of Solana holds {_SOLANA_BYTES}")
        _refuse_zero(data)
        return text


@dataclass(frozen=True, slots=True)
class XAddressForm:
    """An account of XRP together with its destination tag. Never sent: services take the two apart."""

    @property
    def looks(self) -> str:
        """Of the main network, and of test networks."""
        return "X… or T…"

    def claims(self, text: str) -> bool:
        """By its first character."""
        return text[0] in "XT"

    def read(self, text: str) -> str:
        """The account alone."""
        return decode_x_address(text).address


@dataclass(frozen=True, slots=True)
class TronHexForm:
    """Tron's, as its nodes write it among themselves: 41 and forty hexadecimal digits, without a checksum."""

    @property
    def looks(self) -> str:
        """The version."""
        return "41…"

    def claims(self, text: str) -> bool:
        """By its beginning."""
        return text.removeprefix("0x").startswith("41")

    def read(self, text: str) -> str:
        """In the form that is accepted."""
        digits = text.removeprefix("0x")
        if len(digits) != 2 + _EVM_DIGITS or not _HEX.fullmatch(digits):
            raise Unreadable("it is no hexadecimal address of Tron")
        return base58.encode_checked(bytes.fromhex(digits))


def looks(forms: Collection[Form]) -> str:
    """How addresses of these forms look, for an error to tell."""
    return " or ".join(form.looks for form in forms)


def _refuse_zero(payload: bytes) -> None:
    if not any(payload):
        raise Unreadable(_NOBODYS)
