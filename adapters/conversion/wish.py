"""What a caller wants converted, checked before anything is sent: coins, amount, address."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from understudy.adapters.conversion.addresses import check_address, checked_tag, network_of
from understudy.adapters.conversion.coins import checked_amount, coin, pair

Amount = Decimal | int | str
"""How an amount may be given: never as a float, which is not exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A conversion that is wanted. `body` is what services are given beside the amount; `pair` is like `ETH/BTC`."""

    from_coin: str
    to_coin: str
    pair: str
    amount: Decimal
    body: dict[str, Any]


def inquiry(*, from_coin: str, to_coin: str, amount: Amount) -> Wish:
    """What is wanted to be known: what an amount would fetch.

    Errors: InvalidRequest, saying what is wrong.
    """
    source, target = coin(from_coin), coin(to_coin)
    return Wish(
        from_coin=source.ticker,
        to_coin=target.ticker,
        pair=pair(source, target),
        amount=checked_amount(amount, source),
        body={"from_coin": source.ticker, "to_coin": target.ticker},
    )


def wish(
    *, from_coin: str, to_coin: str, amount: Amount, address: str, network: str | None, memo: str | int | None
) -> Wish:
    """A conversion that is wanted; its address is written as its network writes it.

    Errors: InvalidRequest, saying what is wrong.
    """
    asked = inquiry(from_coin=from_coin, to_coin=to_coin, amount=amount)
    target = asked.to_coin
    where = {"network": network_of(target, network).id, "address": check_address(address, target, network)}
    tag = {} if memo is None else {"memo": str(checked_tag(memo, target))}
    return replace(asked, body={**asked.body, **where, **tag})
