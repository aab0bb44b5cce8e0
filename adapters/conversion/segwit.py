"""SegWit addresses: a witness program (a version and 2 to 40 bytes) in Bech32 (version 0) or Bech32m (1 to 16).

Source: BIP141, BIP173, BIP350. Versions that have no meaning yet are valid, as BIP350 insists: a program that refused
them would have to be changed for each new one.
"""

from dataclasses import dataclass
from typing import Final

from understudy.adapters.conversion import base32, bech32
from understudy.adapters.conversion.bech32 import Bech32, Variant
from understudy.adapters.conversion.unreadable import BAD_CHECKSUM, Unreadable

LAST_VERSION: Final = 16
_SHORTEST: Final = 2
_LONGEST: Final = 40
_LENGTHS_OF_VERSION_0: Final = (20, 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessProgram:
    """Where an output goes: `version` 0 to 16, `program` the hash or the key."""

    version: int
    program: bytes


def encode(destination: WitnessProgram, *, prefix: str) -> str:
    """The address, in lower case; `prefix` is `bc` for Bitcoin's main network."""
    values = (destination.version, *base32.regrouped(destination.program))
    return bech32.encode(Bech32(prefix=prefix, values=values, variant=_variant(destination.version)))


def decode(address: str, *, prefix: str) -> WitnessProgram:
    """What an address with this prefix stands for.

    Errors: Unreadable for whatever the BIPs forbid.
    """
    content = bech32.decode(address)
    if content.prefix != prefix:
        raise Unreadable(f"it does not begin with {prefix}1")
    if not content.values:
        raise Unreadable("it is empty between prefix and checksum")
    version, *groups = content.values
    if version > LAST_VERSION:
        raise Unreadable(f"its witness version is {version}; {LAST_VERSION} is the last that there can be")
    if content.variant is not _variant(version):
        # One mistyped character, the version, can lead here too.
        raise Unreadable(BAD_CHECKSUM)
    program = base32.whole_bytes(groups)
    if not _SHORTEST <= len(program) <= _LONGEST or (version == 0 and len(program) not in _LENGTHS_OF_VERSION_0):
        raise Unreadable(f"it holds {len(program)} bytes, which its witness version {version} does not allow")
    return WitnessProgram(version=version, program=program)


def _variant(version: int) -> Variant:
    return Variant.BECH32M if version else Variant.BECH32
