"""What a caller gets of a conversion, and what a service offers for one."""

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from understudy.events.exact import EXACT


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """A conversion that was served.

    Shape:  `service` served it, `reference` is its own id of it there; `failovers` counts the changes of service on the
            way. `joined` tells that an earlier request under the same key was it. `via` tells whether the call itself,
            a look-up or an operator said that it succeeded: then `rate`, `amount_out` and `fees` may be unknown (None).
    Units:  `rate` is units of `to_coin` for one of `from_coin`, before fees; `amount` is in `from_coin`, `amount_out`
            and `fees` are in `to_coin`: what arrives, and what of rate times amount does not.
    """

    service: str
    from_coin: str
    to_coin: str
    amount: Decimal
    rate: Decimal | None
    amount_out: Decimal | None
    fees: Decimal | None
    failovers: int
    request_id: str
    reference: str | None
    via: str = "call"
    joined: bool = False

    def to_json(self) -> dict[str, Any]:
        """The same as JSON; amounts are text, digit for digit."""
        return {name: _plain(value) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a service would give, and what a conversion would make of that.

    Shape:  `verdict` is `eligible`, or why nobody would convert there; `message` says more, where there is more to say.
            What was not offered is None.
    Units:  `rate`, `amount_out` and `fees` as of a `Conversion`; `off_best_bp` is how many basis points less arrives
            than of the best eligible offer.
    """

    service: str
    tier: int
    verdict: str
    rate: Decimal | None
    amount_out: Decimal | None
    fees: Decimal | None
    off_best_bp: int | None
    message: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The same as JSON; amounts are text, digit for digit."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def _plain(value: object) -> object:
    return format(value, "f") if isinstance(value, Decimal) else value


def withheld(rate: Decimal | None, amount: Decimal, amount_out: Decimal | None) -> Decimal | None:
    """The fees: what of rate times amount does not arrive; None if that is not known, and never less than nothing."""
    if rate is None or amount_out is None:
        return None
    kept = EXACT.subtract(EXACT.multiply(rate, amount), amount_out)
    return kept if kept > 0 else Decimal(0)  # Not the 0E-18 that a difference of long figures may be.
