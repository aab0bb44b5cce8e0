"""Settings that are tables by coin: each coin must be one that is known, and is called what everything else calls it.

A limit or a fee under a misspelt name would be no limit and no fee, and nobody would notice.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from understudy.adapters.config_faults import Fault
from understudy.adapters.conversion.coins import coin
from understudy.engine.errors import InvalidRequest
from understudy.events.policy import Policy, ProviderSettings

EMERGENCY: Final = "max_emergency_amount"
"""The one setting of the whole policy that may be a table by coin."""


def by_known_coins(policy: Policy, *, source: str, emergency: str = EMERGENCY) -> tuple[Policy, list[Fault]]:
    """The policy with its coins called by their tickers, and what is wrong with them.

    `emergency` is how the settings' author spells `max_emergency_amount`.
    """
    tables = _Tables(source)
    changed: dict[str, object] = {"providers": tuple(tables.provider(one) for one in policy.providers)}
    if isinstance(policy.max_emergency_amount, dict):
        changed[EMERGENCY] = tables.named(emergency, policy.max_emergency_amount)
    return policy.model_copy(update=changed), tables.faults


class _Tables:
    """Tables by coin while they are read, and what is wrong with them so far."""

    def __init__(self, source: str) -> None:
        self.faults: list[Fault] = []
        self._source = source

    def provider(self, one: ProviderSettings) -> ProviderSettings:
        """A provider whose withdrawal fees are called by tickers; the very same if it has none."""
        if not one.fees.withdrawal:
            return one
        withdrawal = self.named(f"provider {one.id!r}: fees", one.fees.withdrawal)
        return one.model_copy(update={"fees": one.fees.model_copy(update={"withdrawal": withdrawal})})

    def named(self, where: str, table: Mapping[str, Decimal]) -> dict[str, Decimal]:
        """A table under tickers; what cannot be so called is noted, and left out."""
        found: dict[str, Decimal] = {}
        for name, value in table.items():
            try:
                ticker = coin(name).ticker
            except InvalidRequest as error:
                self._refuse(where, f"names a coin that cannot be meant: {error}")
                continue
            if ticker in found:
                self._refuse(where, f"names the coin {ticker} twice, in two spellings; keep one of the two")
            found[ticker] = value
        return found

    def _refuse(self, where: str, what: str) -> None:
        self.faults.append(Fault(source=self._source, where=where, what=what))
