"""Requests fail although another provider could have served them: what keeps them from failing over?"""

from collections.abc import Iterator
from typing import Final

from understudy.adapters.cli.symptoms.case import ENOUGH, Case, counted_of, percent, when
from understudy.adapters.cli.symptoms.check import Check, Found, Symptom
from understudy.engine.alerts import LOCAL_FAULT
from understudy.engine.eligibility import is_eligible
from understudy.events.vocabulary import ForcedState

_BAD: Final = 0.2
"""The share of failures at which a circuit would better open."""
_SEVERAL: Final = 2


def _thresholds(case: Case) -> Iterator[Found]:
    for one in case.providers:
        name, policy = one.judged.provider, case.policy
        good, bad = counted_of(case.served(name))
        closed = all(lane.circuit == "closed" for lane in one.serving) and one.seen.forced is None
        if good + bad < ENOUGH or bad < _BAD * (good + bad) or not closed:
            continue
        row = policy.by_id[name].max_failures or policy.max_failures
        rate = "none is set" if policy.max_failure_rate is None else f"it is {policy.max_failure_rate} %"
        says = (
            f"{name} has failed {percent(bad, good + bad)} of {good + bad:,} calls, and its circuit is closed: it opens"
            f" after {row} failed requests in a row, or at a failure rate (max_failure_rate), and {rate}"
        )
        yield Found(says, f"set max_failure_rate, or max_failures of {name}, then understudy policy check")


def _circuits(case: Case) -> Iterator[Found]:
    for one in case.providers:
        name, forced = one.judged.provider, one.seen.forced
        if forced is not None and forced.state is ForcedState.CLOSED:
            until = "it is cleared" if forced.until_us is None else when(forced.until_us)
            says = f"{name} is called whatever its circuit says until {until}: {forced.actor} has forced it closed"
            yield Found(says, case.command(f'override {{}} {name} clear --reason "let its circuit work"'))
        for lane in one.serving if forced is None else ():
            if lane.circuit != "closed":
                which = " ".join(filter(None, lane.context.values()))
                says = f"the circuit of {name}{f' for {which}' if which else ''} is {lane.circuit.replace('_', ' ')}"
                yield Found(f"{says} since {when(lane.opened_at_us)}: others are asked", case.command("status {}"))


def _alternatives(case: Case) -> Iterator[Found]:
    policy = case.policy
    if not policy.fallback_enabled:
        do = case.command('preferences set {} fallback_enabled=true --reason "fail over"')
        yield Found("fallback is off (fallback_enabled): only the first choice is ever asked", do)
    if policy.max_providers == 1:
        yield Found("max_providers is 1: a request may try one provider only", "raise max_providers")
    able = [one.judged.provider for one in case.providers if is_eligible(one.judged.verdict)]
    if len(policy.providers) == 1:
        yield Found(
            f"{policy.providers[0].id} is the only provider: there is nobody to fail over to", "add another one"
        )
    elif policy.providers and len(able) < _SEVERAL:
        says = f"of {len(policy.providers)} providers {f'only {able[0]}' if able else 'none'} may be asked now"
        yield Found(says, case.command("status {}"))
    alone = [one for one in case.failed if len(one.get("tried", ())) == 1]
    if alone and len(policy.providers) > 1:
        reasons = ", ".join(sorted({str(one["reason"]) for one in alone}))
        says = (
            f"{len(alone):,} of the latest {len(case.failed):,} requests that failed had tried one provider ({reasons})"
        )
        yield Found(says, case.command("requests {} --outcome failed"))


def _network(case: Case) -> Iterator[Found]:
    do = "look at this machine's own connection, then " + case.command("status {}")
    if case.standing.shielded:
        yield Found("a fault of our own network is suspected: no circuit opens until somebody answers", do)
    elif raised := case.raised(LOCAL_FAULT):
        says = f"a fault of our own network was suspected, lastly at {when(raised[-1])}: no circuit opened meanwhile"
        yield Found(says, do)


NOT_FAILING_OVER: Final = Symptom(
    "not-failing-over",
    "Requests fail and do not fail over",
    (
        Check("thresholds", "providers that fail often, and whose circuit has not opened", "day", _thresholds),
        Check("circuits", "circuits that are not closed, or are forced to be", "now", _circuits),
        Check(
            "alternatives", "whether there is anybody else to ask, and whether that is allowed", "latest", _alternatives
        ),
        Check("network", "whether a fault of our own network is suspected", "day", _network),
    ),
)
