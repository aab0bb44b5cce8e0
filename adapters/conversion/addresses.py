"""Whether coins can be paid out to an address: asked before anything is sent, answered without asking anybody.

What the text itself tells is checked: its form, its checksum, the network that it belongs to. Whether somebody has the
key, and whether a contract there can take coins, no text tells.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from understudy.adapters.conversion.coins import Coin, coin, shown
from understudy.adapters.conversion.forms import Form, looks
from understudy.adapters.conversion.networks import ALIASES, NETWORKS, Network, Testnet
from understudy.adapters.conversion.unreadable import Unreadable, named
from understudy.adapters.conversion.whose_address import Whose, may_be_secret, reads, whose
from understudy.adapters.conversion.xrp import LAST_TAG
from understudy.engine.errors import InvalidRequest

LONGEST: Final = 128
"""Characters; no address that is known here has more than 90. It bounds the work, too."""
_SHOWN: Final = 6
"""Characters that an error repeats of an address's beginning, and of its end."""


class InvalidAddress(InvalidRequest):
    """Coins cannot be paid out to this address. The message says what is wrong with it, and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Where coins are to arrive, and the forms that an address has there."""

    coin: Coin
    network: Network
    testnet: Testnet | None
    forms: tuple[Form, ...]

    @property
    def described(self) -> str:
        on = f" on {self.network.name}" if len(self.coin.networks) > 1 else ""
        return f"{self.coin.ticker} address{on}"


def check_address(
    address: str, of: str | Coin, network: str | None = None, *, testnet: str | Testnet | None = None
) -> str:
    """The address as it is to be sent: capitals and prefix as its network writes them.

    Shape:  `network` is where the coin is to arrive, by default the first of the coin's; `testnet` names a test network
            of it, whose addresses are refused otherwise.
    Errors: InvalidAddress if coins cannot be sent there; InvalidRequest for an unknown coin, network or test network.
    """
    wanted = _wanted(coin(of), network_of(of, network), testnet)
    text = _tidy(address, wanted)
    try:
        return _read(text, wanted.forms)
    except Unreadable as found:
        fault = str(found)
    if may_be_secret(text):
        raise InvalidAddress(f"{wanted.described}: this may be a private key; whoever sees it can take the coins")
    raise InvalidAddress(f"{wanted.described} {_abbreviated(text)}: {_explained(text, wanted, fault)}")


def network_of(of: str | Coin, network: str | None = None) -> Network:
    """The network on which a coin is to be paid out: the one named, else the first of the coin's.

    Errors: InvalidRequest for the money of a state, for an unknown network, and for one where the coin is not paid out.
    """
    its = coin(of)
    if its.default_network is None:
        raise InvalidRequest(f"{its.ticker} is the money of a state: it has no addresses")
    if network is None:
        return NETWORKS[its.default_network]
    if not isinstance(network, str):
        raise InvalidRequest(f"a network is named by a text such as 'ETH', not by {type(network).__name__}")
    name = ALIASES.get(network.upper(), network.upper())
    if name not in NETWORKS:
        near = get_close_matches(name[:LONGEST], [*NETWORKS, *ALIASES], n=1)
        meant = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(NETWORKS)}"
        raise InvalidRequest(f"network {shown(network)} is unknown; {meant}")
    if name not in its.networks:
        raise InvalidRequest(f"{its.ticker} is not paid out on {name}; it is on {', '.join(its.networks)}")
    return NETWORKS[name]


def checked_tag(tag: str | int, of: str | Coin) -> int:
    """The number that tells whose a payment to an exchange's account is: XRP's destination tag.

    Errors: InvalidRequest for a coin that has none, and for what is no whole number of 32 bits.
    """
    its = coin(of)
    if its.ticker != "XRP":
        raise InvalidRequest(f"{its.ticker} has no destination tags; leave it out")
    is_number = isinstance(tag, int) and not isinstance(tag, bool)
    is_digits = isinstance(tag, str) and tag.isascii() and tag.isdigit() and len(tag) <= len(str(LAST_TAG))
    if not (is_number or is_digits) or not 0 <= int(tag) <= LAST_TAG:
        raise InvalidRequest(f"a destination tag of XRP is a whole number from 0 to {LAST_TAG:,}")
    return int(tag)


def _wanted(its: Coin, network: Network, testnet: str | Testnet | None) -> _Wanted:
    if testnet is None:
        return _Wanted(coin=its, network=network, testnet=None, forms=network.forms)
    if testnet not in tuple(Testnet) or Testnet(testnet) not in network.testnets:
        has = ", ".join(network.testnets) or "none whose addresses differ; leave `testnet` out"
        raise InvalidRequest(f"{network.name} has no test network {shown(str(testnet))}; it has {has}")
    return _Wanted(coin=its, network=network, testnet=Testnet(testnet), forms=network.testnets[Testnet(testnet)])


def _tidy(address: str, wanted: _Wanted) -> str:
    """The text, if it can be an address at all: visible characters of ASCII, and not too many."""
    if not isinstance(address, str):
        raise InvalidAddress(f"{wanted.described}: a text is needed, not {type(address).__name__}")
    if not address.strip():
        raise InvalidAddress(f"{wanted.described}: it is empty")
    if address != address.strip():
        raise InvalidAddress(f"{wanted.described}: white space stands before or behind it; pass it without")
    if len(address) > LONGEST:
        raise InvalidAddress(f"{wanted.described}: it has {len(address):,} characters; none has more than {LONGEST}")
    for place, character in enumerate(address, 1):
        if not "!" <= character <= "~":
            raise InvalidAddress(
                f"{wanted.described}: character {place} is {named(character)}, which none contains; copy it once more"
            )
    return address


def _read(text: str, forms: tuple[Form, ...]) -> str:
    """What the form that claims the text makes of it.

    Errors: Unreadable, without words if no form claims it.
    """
    claiming = [form for form in forms if form.claims(text)]
    if not claiming:
        raise Unreadable
    return claiming[0].read(text)


def _explained(text: str, wanted: _Wanted, fault: str) -> str:
    """What is wrong with an address, the surest first: a form that is refused, another's address, a fault in itself."""
    for form, reason in wanted.network.refused:
        if reads(text, [form]):
            return reason
    found = whose(text, nearest=wanted.network)
    if found is not None:
        return _anothers(found, wanted)
    if fault:
        return fault
    scheme, colon, _ = text.partition(":")
    if colon:
        return f"pass the address alone, without {shown(scheme + ':')} and what may stand behind it"
    return f"this is no such address; one looks like {looks(wanted.forms)}"


def _anothers(found: Whose, wanted: _Wanted) -> str:
    """What to do about an address of somewhere else."""
    if found.network is wanted.network:
        return f"this is {found.described}; one of the {wanted.testnet or 'main'} network is needed"
    if found.network.id in wanted.coin.networks:
        return f"this looks like {found.described}; if that is meant, pass network={found.network.id!r}"
    return f"this looks like {found.described}; one that would do looks like {looks(wanted.forms)}"


def _abbreviated(text: str) -> str:
    """The beginning and the end of an address, by which people tell it from others."""
    return text if len(text) <= 2 * _SHOWN + 1 else f"{text[:_SHOWN]}…{text[-_SHOWN:]}"
