"""Whose an address is that is not the one asked for: so that an error can say what somebody has pasted."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from understudy.adapters.conversion import base58
from understudy.adapters.conversion.forms import Form
from understudy.adapters.conversion.networks import NETWORKS, Network, Testnet
from understudy.adapters.conversion.unreadable import Unreadable

_PRIVATE_HEX: Final = re.compile(r"(0x)?[0-9a-fA-F]{64}")
_PRIVATE_BYTES: Final = frozenset({33, 34})
"""Version and key; one byte more where the public key is to be compressed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """The network that an address belongs to, and which test network of it; None for the main one."""

    network: Network
    testnet: Testnet | None

    @property
    def described(self) -> str:
        """As in `a Bitcoin testnet address`."""
        article = "an" if self.network.name[0] in "AEIOUX" else "a"
        return " ".join([article, self.network.name, *([self.testnet] if self.testnet else []), "address"])


def whose(text: str, *, nearest: Network) -> Whose | None:
    """Where an address would do: on a main network rather than a test network, on the nearest of several."""
    tried = set()
    for testnet in (None, *Testnet):
        for network in (nearest, *NETWORKS.values()):
            forms = network.forms if testnet is None else network.testnets.get(testnet, ())
            if forms not in tried and reads(text, forms):
                return Whose(network=network, testnet=testnet)
            tried.add(forms)
    return None


def may_be_secret(text: str) -> bool:
    """Whether a text has the form of a private key: as wallets export it (Base58Check), or as 64 hexadecimal digits."""
    if _PRIVATE_HEX.fullmatch(text):
        return True
    try:
        return len(base58.decode_checked(text)) in _PRIVATE_BYTES
    except Unreadable:
        return False


def reads(text: str, forms: Iterable[Form]) -> bool:
    """Whether a text is an address of one of the forms."""
    return any(form.claims(text) and _is_read(text, form) for form in forms)


def _is_read(text: str, form: Form) -> bool:
    try:
        form.read(text)
    except Unreadable:
        return False
    return True
