"""The coins that are known: how finely each can be divided, and the networks on which it is paid out.

Only what `addresses` can check is listed. Money of states has no addresses, and is here because rates are asked in it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from typing import Final

from understudy.engine.errors import InvalidRequest

_EVERYWHERE: Final = ("ETH", "BSC", "POLYGON", "ARBITRUM", "OPTIMISM", "BASE")
_LONGEST_SHOWN: Final = 40
_LONGEST_AMOUNT: Final = 60
"""Characters of an amount: eighteen digits, a point and eighteen decimals, and room to spare."""
_AMOUNT: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_TOO_MUCH: Final = 10**18
"""Of no coin are there so many; beyond it a Decimal may have digits without end."""


class CoinKind(StrEnum):
    """What a coin is: of a network of its own or a token on others (`crypto`), or the money of a state (`fiat`)."""

    CRYPTO = "crypto"
    FIAT = "fiat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coin:
    """Something that is exchanged.

    Shape:  `networks` are ids of `networks.NETWORKS`, the default first; empty for fiat.
    Units:  `decimals` is how many places behind the point the smallest unit has; where a token is divided differently
            from network to network, the fewest, so that an amount can be paid on each.
    """

    ticker: str
    name: str
    decimals: int
    networks: tuple[str, ...] = ()

    @property
    def kind(self) -> CoinKind:
        """Whether it moves on networks at all."""
        return CoinKind.CRYPTO if self.networks else CoinKind.FIAT

    @property
    def default_network(self) -> str | None:
        """Where it is paid out unless something else is said; None for fiat."""
        return next(iter(self.networks), None)


_COINS: Final = (
    Coin(ticker="BTC", name="Bitcoin", decimals=8, networks=("BTC",)),
    Coin(ticker="LTC", name="Litecoin", decimals=8, networks=("LTC",)),
    Coin(ticker="DOGE", name="Dogecoin", decimals=8, networks=("DOGE",)),
    Coin(ticker="BCH", name="Bitcoin Cash", decimals=8, networks=("BCH",)),
    Coin(ticker="DASH", name="Dash", decimals=8, networks=("DASH",)),
    Coin(ticker="ETH", name="Ether", decimals=18, networks=("ETH", "ARBITRUM", "OPTIMISM", "BASE")),
    Coin(ticker="ETC", name="Ethereum Classic", decimals=18, networks=("ETC",)),
    Coin(ticker="BNB", name="BNB", decimals=18, networks=("BSC",)),
    Coin(ticker="POL", name="Polygon", decimals=18, networks=("POLYGON", "ETH")),
    Coin(ticker="AVAX", name="Avalanche", decimals=18, networks=("AVALANCHE",)),
    Coin(ticker="TRX", name="Tron", decimals=6, networks=("TRX",)),
    Coin(ticker="XRP", name="XRP", decimals=6, networks=("XRP",)),
    Coin(ticker="SOL", name="Solana", decimals=9, networks=("SOL",)),
    Coin(
        ticker="USDT",
        name="Tether USD",
        decimals=6,
        networks=("ETH", "TRX", "SOL", "BSC", "POLYGON", "ARBITRUM", "OPTIMISM", "AVALANCHE"),
    ),
    Coin(ticker="USDC", name="USD Coin", decimals=6, networks=(*_EVERYWHERE, "SOL", "AVALANCHE")),
    Coin(ticker="DAI", name="Dai", decimals=18, networks=_EVERYWHERE),
    Coin(ticker="LINK", name="Chainlink", decimals=18, networks=("ETH",)),
    Coin(ticker="WBTC", name="Wrapped Bitcoin", decimals=8, networks=("ETH",)),
    Coin(ticker="USD", name="US dollar", decimals=2),
    Coin(ticker="EUR", name="Euro", decimals=2),
    Coin(ticker="GBP", name="Pound sterling", decimals=2),
    Coin(ticker="CHF", name="Swiss franc", decimals=2),
)

COINS: Final[Mapping[str, Coin]] = {one.ticker: one for one in _COINS}
_FORMER: Final = {"MATIC": "POL"}
"""Coins that have changed their name; POL took MATIC's place one to one in September 2024."""


def coin(ticker: str | Coin) -> Coin:
    """A coin by its ticker, in whatever case.

    Errors: InvalidRequest for one that is not known, with the nearest that is.
    """
    if isinstance(ticker, Coin):
        return ticker
    if not isinstance(ticker, str):
        raise InvalidRequest(f"a coin is named by its ticker, a text such as 'BTC', not by {type(ticker).__name__}")
    wanted = ticker.upper()
    found = COINS.get(_FORMER.get(wanted, wanted))
    if found is None:
        near = get_close_matches(wanted[:_LONGEST_SHOWN], COINS, n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(COINS)}"
        raise InvalidRequest(f"coin {shown(ticker)} is unknown; {advice}")
    return found


def pair(from_coin: str | Coin, to_coin: str | Coin) -> str:
    """What is exchanged for what, as quotes name it: `ETH/BTC`.

    Errors: InvalidRequest for a coin that is not known, and for twice the same.
    """
    source, target = coin(from_coin), coin(to_coin)
    if source.ticker == target.ticker:
        raise InvalidRequest(f"a conversion takes two coins; both are {source.ticker}")
    return f"{source.ticker}/{target.ticker}"


def checked_amount(value: str | int | Decimal, of: str | Coin) -> Decimal:
    """An amount of a coin, exact, and with as few digits as say it: "1.50" is Decimal("1.5").

    Units:  whole coins, not their smallest unit. Write it as f"{amount:f}": str() makes 1E-8 of a small one.
    Errors: InvalidRequest unless it is positive, finite, and of no more decimals than the coin has.
    """
    its = coin(of)
    amount = _exact(value, its)
    if not amount.is_finite():
        raise InvalidRequest(f"an amount of {its.ticker} must be finite, not {amount}")
    if amount <= 0:
        raise InvalidRequest(f"an amount of {its.ticker} must be greater than 0, not {shown(str(amount))}")
    if amount >= _TOO_MUCH:
        raise InvalidRequest(f"an amount of {its.ticker} must be less than {_TOO_MUCH:,}")
    decimals = _decimals(amount)
    if decimals > its.decimals:
        raise InvalidRequest(
            f"an amount of {its.ticker} has at most {its.decimals} decimals; {shown(str(value))} has {decimals}"
        )
    text = f"{amount:f}"
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)


def _decimals(amount: Decimal) -> int:
    """How many places behind the point an amount needs. Counted without writing it out: 1E-999999 is a Decimal too."""
    _, digits, exponent = amount.as_tuple()
    zeros = len(digits) - len(bytes(digits).rstrip(b"\0"))
    return max(0, -int(exponent) - zeros)


def _exact(value: str | int | Decimal, its: Coin) -> Decimal:
    """The value as a Decimal, nothing rounded."""
    if isinstance(value, float):
        raise InvalidRequest(f'a float is no exact amount of {its.ticker}; pass Decimal("1.5") or "1.5" instead of 1.5')
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise InvalidRequest(f"an amount of {its.ticker} is a text, an int or a Decimal, not {type(value).__name__}")
    if isinstance(value, str) and (len(value) > _LONGEST_AMOUNT or not _AMOUNT.fullmatch(value.removeprefix("-"))):
        raise InvalidRequest(f"{shown(value)} is no amount; write digits with a point, such as '1.5'")
    return Decimal(value)


def shown(text: str) -> str:
    """A text as an error repeats it: quoted, and cut where it is long."""
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…")
