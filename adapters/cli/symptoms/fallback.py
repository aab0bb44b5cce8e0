"""Requests always fall back to a secondary: what is it about the primary one?"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from understudy.adapters.cli.symptoms.case import ENOUGH, SUCCESS, Case, counted_of, most_common, percent, when
from understudy.adapters.cli.symptoms.check import Check, Found, Symptom
from understudy.engine import eligibility, wares
from understudy.engine.alerts import PHANTOM_STOCK
from understudy.events.counted import counted

_A_FEW: Final = 5
_WORTH_TELLING: Final = 0.05
_OFTEN: Final = 0.2
_HALF: Final = 0.5
_WORSE: Final = 0.05
_OF_HEALTH: Final = (
    eligibility.CIRCUIT_OPEN,
    eligibility.NEEDS_PING,
    eligibility.PROBING,
    eligibility.PINGS_FAIL,
    eligibility.MISCONFIGURED,
    eligibility.UNFUNDED,
    eligibility.FORCED_OPEN,
    eligibility.DRAINED,
    "degraded by success_rate",
    "degraded by response_time",
)
_NOT_THERE: Final = frozenset({"not_offered", "rejected", "invalid_reply"})


def primaries(case: Case) -> Sequence[str]:
    """Who ought to serve: the preferred provider, else those of the best tier."""
    policy = case.policy
    if policy.preferred_provider is not None:
        return (policy.preferred_provider,)
    best = min((one.priority for one in policy.providers), default=None)
    return [one.id for one in policy.providers if one.priority == best]


def _stock(case: Case) -> Iterator[Found]:
    for name in primaries(case):
        count, vetoes = case.vetoes(name)
        out = vetoes[wares.OUT_OF_STOCK]
        if count and out >= max(1, _WORTH_TELLING * count):
            says = (
                f"{name} was out of stock in {percent(out, count)} of the latest {count:,} decisions{_age(case, name)}"
            )
            can = case.policy.by_id[name].has_sync
            yield Found(says, case.command(f"sync {{}} {name}" if can else "report fallback {}"))
        for alert, since_us in case.standing.alerts.items():
            kind, _, about = alert.partition("|")
            if kind == PHANTOM_STOCK and about.split("|")[0] == name:
                says = f"since {when(since_us)} {name} has refused what it says that it has: {about.replace('|', ' ')}"
                yield Found(says, case.command(f"events {{}} --provider {name} --outcome out_of_stock"))


def _age(case: Case, name: str) -> str:
    told_us = [one.at_us for key, one in case.standing.stock.items() if key.split("|")[0] == name]
    return f"; its stock was last heard of at {when(max(told_us))}" if told_us else ""


def _health(case: Case) -> Iterator[Found]:
    for name in primaries(case):
        count, vetoes = case.vetoes(name)
        met = {veto: vetoes[veto] for veto in _OF_HEALTH if vetoes[veto]}
        if count and sum(met.values()) >= _OFTEN * count:
            told = ", ".join(f"{veto.replace('_', ' ')} {counted(often, 'time')}" for veto, often in met.items())
            says = f"of the latest {count:,} decisions {name} was not well in {sum(met.values()):,}: {told}"
            yield Found(says, case.command("report fallback {}"))


def _errors(case: Case) -> Iterator[Found]:
    for name in primaries(case):
        failures = case.failures_of(name)
        if len(failures) < _A_FEW:
            continue
        message, count, _ = most_common(failures)
        if count >= _HALF * len(failures):
            outcome = Counter(one.outcome for one in failures if one.message == message).most_common(1)[0][0]
            says = f"{count:,} of the latest {len(failures):,} failures of {name} are the same: {message!r} ({outcome})"
            yield Found(says, case.command(f"events {{}} --provider {name} --outcome {outcome}"))


def _history(case: Case) -> Iterator[Found]:
    rates = {name: counted_of(case.over_days(name)) for name in case.names}
    known = {name: (good / (good + bad), good + bad) for name, (good, bad) in rates.items() if good + bad >= ENOUGH}
    if not known:
        return
    best = max(known, key=lambda name: known[name])
    for name in primaries(case):
        if name in known and known[name][0] < known[best][0] - _WORSE:
            told = " and ".join(f"{one} in {known[one][0]:.1%} of {known[one][1]:,} calls" for one in (name, best))
            yield Found(f"falling back is right: success has come from {told}", case.command("report weekly {}"))


def _mappings(case: Case) -> Iterator[Found]:
    for name in primaries(case):
        for country, service in sorted({(one.country or "", one.service or "") for one in case.places}):
            here = [
                one
                for one in case.places
                if (one.provider, one.country or "", one.service or "") == (name, country, service)
            ]
            refused = Counter({one.outcome: one.calls for one in here if one.outcome in _NOT_THERE})
            served = sum(one.calls for one in here if one.outcome == SUCCESS)
            if refused.total() >= _A_FEW and not served:
                outcome, _ = refused.most_common(1)[0]
                what = " ".join(filter(None, (service, country)))
                says = f"none of {sum(one.calls for one in here):,} calls of {name} for {what} was served: {outcome}"
                do = case.command(f"events {{}} --provider {name} --outcome {outcome}")
                yield Found(says, f"{do}; see under which name {name} has it")


FALLBACK: Final = Symptom(
    "fallback",
    "Requests always fall back to a secondary provider",
    (
        Check("stock", "whether the primary provider had stock when it was not chosen", "latest", _stock),
        Check("health", "whether it was well when it was not chosen", "latest", _health),
        Check("errors", "whether its failures are all alike", "day", _errors),
        Check("history", "its success rate beside that of others", "week", _history),
        Check("mappings", "countries and services that it has never served", "latest", _mappings),
    ),
)
