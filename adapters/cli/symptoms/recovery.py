"""A provider does not come back: is it still ill, or does nobody find out that it is well?"""

from collections.abc import Iterator
from typing import Final

from understudy.adapters.cli.standings import ProviderStanding
from understudy.adapters.cli.symptoms.case import SUCCESS, Case, count_of, ms, when
from understudy.adapters.cli.symptoms.check import Check, Found, Symptom
from understudy.engine.eligibility import NEEDS_PING, PINGS_FAIL
from understudy.projections import lane_step as lane
from understudy.projections.views import LaneView

_SHOWN: Final = 3
_LONG_US: Final = 3_600_000_000
_GROWN: Final = 2
_BY_PING: Final = frozenset({PINGS_FAIL, NEEDS_PING})
"""Verdicts that a ping ends, and no request."""


def _resting(case: Case) -> Iterator[tuple[ProviderStanding, LaneView]]:
    """Circuits that are not closed, unless an operator has the say there."""
    for one in (one for one in case.providers if one.seen.forced is None):
        yield from ((one, view) for view in one.serving if view.circuit != "closed")


def _openings(case: Case, name: str) -> int:
    lanes = case.standing.lanes
    return max(
        (lanes.state[lanes.base(at) + lane.OPENINGS] for key, at in lanes.of(name) if key[1] == "serve"), default=0
    )


def _rest(case: Case) -> Iterator[Found]:
    for one, view in _resting(case):
        name, policy = one.judged.provider, case.policy
        usual_us = (policy.by_id[name].recovery_time_ms or policy.recovery_time_ms) * 1000
        openings = _openings(case, name)
        if openings < _GROWN and usual_us < _LONG_US:
            continue
        why = f"its circuit has opened {openings} times in a row" if openings >= _GROWN else "it is configured so"
        says = (
            f"{name} rests until {when(view.open_until_us)}: {why}; a rest is {ms(usual_us)}, and doubles up to"
            f" {policy.recovery_time_cap_ms:,} ms"
        )
        yield Found(says, case.command(f"probe {{}} {name}") + "; or lower recovery_time_ms and its cap")


def _pings(case: Case) -> Iterator[Found]:
    for one in case.unavailable:
        name = one.judged.provider
        if not case.policy.by_id[name].has_ping:
            if any(view.circuit != "closed" for view in one.serving):
                says = f"{name} cannot be pinged: only a request can find out that it is well"
                yield Found(says, f"give its adapter a ping; now: {case.command(f'probe {{}} {name}')}")
            continue
        pings = case.asked(name, "ping")
        good, count = count_of(pings, SUCCESS), sum(tally.calls for tally in pings)
        if count > good:
            last_us = max((tally.last_us for tally in pings if tally.outcome == SUCCESS), default=0)
            says = f"{count - good:,} of {count:,} pings of {name} failed; the last good one was at {when(last_us)}"
            do = case.command(f"events {{}} --provider {name} --operation ping --limit 5")
            yield Found(f"{says}; {case.page(name)}", do)


def _log(case: Case) -> Iterator[Found]:
    for one, view in _resting(case):
        name = one.judged.provider
        latest = case.failures_of(name)[:_SHOWN]
        if latest:
            told = "; ".join(f"{when(failure.at_us)} {failure.outcome} ({failure.message})" for failure in latest)
            says = f"{name} has been out since {when(view.opened_at_us)}; its latest failures: {told}"
            yield Found(says, case.command(f"events {{}} --provider {name} --kind call_failed"))


def _by_hand(case: Case) -> Iterator[Found]:
    waiting = [one.judged.provider for one in case.providers if one.judged.verdict in _BY_PING]
    for name in waiting:
        says = f"the pings of {name} fail, and no request goes there until one succeeds"
        yield Found(says, case.command(f"probe {{}} {name}"))
    for one, view in _resting(case):
        name = one.judged.provider
        if name in waiting:
            continue
        if case.now_us >= view.open_until_us > view.last_started_us:
            says = f"{name} may be probed since {when(view.open_until_us)}, and no request has come to do it"
        else:
            says = f"{name} rests until {when(view.open_until_us)}; whether it is well can be found out now"
        yield Found(says, case.command(f"probe {{}} {name}"))


RECOVERY: Final = Symptom(
    "recovery",
    "A provider does not come back",
    (
        Check("rest", "rests that have grown, or are long as configured", "now", _rest),
        Check("pings", "whether ill providers can be pinged, and how that goes", "day", _pings),
        Check("log", "what providers failed with whose circuits are not closed", "day", _log),
        Check("by-hand", "whether a provider could be probed now", "now", _by_hand),
    ),
)
