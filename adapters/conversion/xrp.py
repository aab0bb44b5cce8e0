"""Accounts of the XRP Ledger: the classic `r…` address, the X-address that has a destination tag in it, and the tag.

Source: XRP Ledger, "base58 encodings"; XLS-5d (X-addresses).
"""

from dataclasses import dataclass
from typing import Final

from understudy.adapters.conversion import base58
from understudy.adapters.conversion.unreadable import Unreadable

CLASSIC_VERSION: Final = b"\0"
HASH_BYTES: Final = 20
LAST_TAG: Final = 2**32 - 1
_VERSIONS: Final = {b"\x05\x44": False, b"\x04\x93": True}
"""The first two bytes of an X-address, and whether it is one of a test network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class XrpAccount:
    """What an X-address stands for. `tag` is None if the account wants none; `is_testnet` tells of a test network."""

    address: str
    tag: int | None
    is_testnet: bool


def encode_x_address(account: XrpAccount) -> str:
    """The X-address of an account."""
    (version,) = (version for version, is_testnet in _VERSIONS.items() if is_testnet is account.is_testnet)
    account_hash = base58.decode_checked(account.address, alphabet=base58.RIPPLE)[1:]
    has_tag = account.tag is not None
    return base58.encode_checked(
        version + account_hash + bytes([has_tag]) + (account.tag or 0).to_bytes(8, "little"), alphabet=base58.RIPPLE
    )


def decode_x_address(address: str) -> XrpAccount:
    """The classic address and the tag that an X-address holds.

    Errors: Unreadable if it is none.
    """
    payload = base58.decode_checked(address, alphabet=base58.RIPPLE)
    version, account_hash, has_tag, tag = payload[:2], payload[2:22], payload[22:23], payload[23:]
    if version not in _VERSIONS or len(tag) != 8:  # noqa: PLR2004 - the bytes that are kept for a tag
        raise Unreadable("it is no X-address")
    number = int.from_bytes(tag, "little")
    if has_tag not in {b"\0", b"\1"} or number > (LAST_TAG if has_tag == b"\1" else 0):
        raise Unreadable("its destination tag is of a kind that is not known")
    return XrpAccount(
        address=base58.encode_checked(CLASSIC_VERSION + account_hash, alphabet=base58.RIPPLE),
        tag=number if has_tag == b"\1" else None,
        is_testnet=_VERSIONS[version],
    )
