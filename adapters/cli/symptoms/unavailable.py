"""A provider is marked unavailable: is it their fault, ours, or nobody's?"""

from collections.abc import Iterator
from typing import Final

from understudy.adapters.cli.symptoms.case import (
    ENOUGH,
    THROTTLED,
    Case,
    count_of,
    counted_of,
    most_common,
    percent,
    when,
)
from understudy.adapters.cli.symptoms.check import Check, Found, Symptom
from understudy.events.vocabulary import ForcedState

_THROTTLES: Final = 0.05
"""The share of calls from which on throttling is told of a healthy provider, too."""
_FALL: Final = 0.05
"""By how much a success rate must have fallen."""


def _messages(case: Case) -> Iterator[Found]:
    for one in case.unavailable:
        name, failures = one.judged.provider, case.failures_of(one.judged.provider)
        if failures:
            message, count, last_us = most_common(failures)
            says = (
                f"{name} is {one.in_words}; of its latest {len(failures):,} failures {count:,} say"
                f" {message!r}, the last at {when(last_us)}"
            )
            yield Found(says, case.command(f"report failures {{}} --since {when(case.since_us)}"))


def _keys(case: Case) -> Iterator[Found]:
    for name in case.names:
        record = case.standing.providers.get(name)
        clear = case.command(f'override {{}} {name} clear --reason "put right"')
        if record is not None and record.misconfigured_us:
            says = f"{name} has not accepted our key or account since {when(record.misconfigured_us)}"
            yield Found(says, f"put the key right, then {clear}")
        if record is not None and record.unfunded_us:
            says = f"our account at {name} has lacked funds since {when(record.unfunded_us)}"
            yield Found(says, f"pay in, then {clear}")


def _direct_test(case: Case) -> Iterator[Found]:
    for one in case.unavailable:
        name, forced = one.judged.provider, one.seen.forced
        if forced is not None and forced.state is not ForcedState.CLOSED:
            says = f"{name} is out because {forced.actor} has forced it {forced.state}: {forced.reason}"
            yield Found(says, case.command(f'override {{}} {name} clear --reason "it is well"'))
            continue
        last_us = max((lane.last_started_us for lane in one.seen.lanes), default=0)
        says = f"{name} was last asked anything at {when(last_us)}; {case.page(name)}"
        yield Found(says, case.command(f"probe {{}} {name}"))


def _rate_limits(case: Case) -> Iterator[Found]:
    ill = {one.judged.provider for one in case.ill}
    for name in case.names:
        calls = case.served(name)
        throttled, all_of_them = count_of(calls, THROTTLED), sum(one.calls for one in calls)
        until_us = record.throttled_until_us if (record := case.standing.providers.get(name)) else 0
        if throttled and (name in ill or throttled >= _THROTTLES * all_of_them or until_us > case.now_us):
            says = f"{name} has throttled {throttled:,} of {all_of_them:,} calls ({percent(throttled, all_of_them)})"
            if until_us > case.now_us:
                says += f", and asked us to wait until {when(until_us)}"
            do = f"set max_calls_per_second or max_in_flight of {name} below what it takes, then"
            yield Found(says, f"{do} understudy policy check")


def _trend(case: Case) -> Iterator[Found]:
    for name in case.names:
        calls = case.over_days(name)
        hours = sorted({one.hour for one in calls})
        middle = (hours[0] + hours[-1] + 1) // 2 if hours else 0
        good, bad = counted_of(one for one in calls if one.hour < middle)
        later_good, later_bad = counted_of(one for one in calls if one.hour >= middle)
        before, after = good + bad, later_good + later_bad
        if before < ENOUGH or after < ENOUGH or later_good / after > good / before - _FALL:
            continue
        says = (
            f"the success rate of {name} has fallen from {percent(good, before)} of {before:,} calls to"
            f" {percent(later_good, after)} of {after:,}"
        )
        yield Found(says, case.command(f"report hourly {{}} --since {when(case.trends_us)}"))


UNAVAILABLE: Final = Symptom(
    "unavailable",
    "A provider is marked unavailable",
    (
        Check("messages", "what unavailable providers fail with", "day", _messages),
        Check("keys", "keys and accounts that are not accepted, and accounts without funds", "now", _keys),
        Check("direct-test", "when unavailable providers were last asked, and who forces them", "now", _direct_test),
        Check("rate-limits", "calls that providers have throttled", "day", _rate_limits),
        Check("trend", "success rates in the earlier and the later half of the time", "week", _trend),
    ),
)
