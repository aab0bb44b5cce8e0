"""What a standing holds beside its lanes, as plain data: what snapshots and sealed blocks have in common.

Not here: the lanes, the policy, open calls and beliefs about stock. A snapshot holds them all; a block leaves out what
can be found in the rows, and what has not changed since the block before.
"""

from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any, Final

from understudy.events.drills import DrillStarted
from understudy.events.operations import OverrideSet
from understudy.events.policy import Policy
from understudy.events.vocabulary import Mode
from understudy.projections.alerting import Alerting
from understudy.projections.lanes import Lanes
from understudy.projections.leftovers import Leftovers
from understudy.projections.notes import Notes
from understudy.projections.open_call import OpenCall
from understudy.projections.provider_record import ProviderRecord, StockBelief
from understudy.projections.quote_book import QuoteBook
from understudy.projections.slow_start import SlowStart
from understudy.projections.standing import Standing, Totals
from understudy.projections.unused import Unused

_PLAIN: Final = ("seq", "at_us", "rules_version", "policy_hash", "alerts", "rate_used_us", "rate_interval_us")


def rest_of(standing: Standing) -> dict[str, Any]:
    """The rest of a standing, to be told in JSON."""
    return {
        **{name: getattr(standing, name) for name in _PLAIN},
        "mode": standing.mode,
        "providers": standing.providers,
        "spared": {request: sorted(who) for request, who in standing.spared.items()},
        "spoken": standing.spoken,
        "preferences": standing.preferences,
        "last_first": standing.last_first,
        "totals": standing.totals,
        "quotes": standing.quotes,
        "leftovers": standing.leftovers,
        "unused": standing.unused,
        "notes": standing.notes,
        "alerting": standing.alerting,
        "drills": standing.drills,
        "courses": standing.courses,
        "undrilled": standing.undrilled,
        "drill_lines": standing.drill_lines,
    }


def standing_of(
    rest: Mapping[str, Any], *, policy: Policy, lanes: Lanes, calls: dict[int, OpenCall], stock: dict[str, StockBelief]
) -> Standing:
    """The standing that such a rest, read back from JSON, makes together with all else.

    Errors: KeyError, TypeError, ValueError if it is no such rest.
    """
    return Standing(
        **{name: rest[name] for name in _PLAIN},
        mode=Mode(rest["mode"]),
        policy=policy,
        lanes=lanes,
        providers={name: _provider(record) for name, record in rest["providers"].items()},
        calls=calls,
        spared={request: set(who) for request, who in rest["spared"].items()},
        spoken=dict(rest["spoken"]),
        preferences=dict(rest["preferences"]),
        stock=stock,
        last_first={int(tier): provider for tier, provider in rest["last_first"].items()},
        totals=_totals(rest["totals"]),
        quotes=QuoteBook.restored(rest["quotes"]),
        leftovers=Leftovers.restored(rest["leftovers"]),
        unused=Unused.restored(rest["unused"]),
        notes=Notes.restored(rest["notes"]),
        alerting=Alerting.restored(rest["alerting"]),
        drills=_drills(rest["drills"]),
        courses=_drills(rest["courses"]),
        undrilled={name: _provider(record) for name, record in rest["undrilled"].items()},
        drill_lines=dict(rest["drill_lines"]),
    )


def _drills(told: Mapping[str, Any]) -> dict[str, DrillStarted]:
    return {name: DrillStarted.of(drill) for name, drill in told.items()}


def _totals(told: Mapping[str, Any]) -> Totals:
    return Totals(**{**told, "paid": {provider: Decimal(paid) for provider, paid in told["paid"].items()}})


def beliefs(stock: Mapping[str, Mapping[str, Any]]) -> dict[str, StockBelief]:
    """Beliefs about stock, read back from JSON.

    Errors: TypeError if they are none.
    """
    return {key: _belief(told) for key, told in stock.items()}


def _belief(told: Mapping[str, Any]) -> StockBelief:
    price = told["price"]
    return StockBelief(**{**told, "price": None if price is None else Decimal(price)})


def _provider(record: Mapping[str, Any]) -> ProviderRecord:
    found = ProviderRecord(**{field.name: record[field.name] for field in fields(ProviderRecord)})
    if record["slow_start"] is not None:
        found.slow_start = SlowStart(**record["slow_start"])
    if record["override"] is not None:
        found.override = OverrideSet.of(record["override"])
    return found
