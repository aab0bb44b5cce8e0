"""Providers respond slowly: all of them, at some hours, in some countries, or because they are asked too much?"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from understudy.adapters.cli.symptoms.case import (
    ENOUGH,
    SUCCESS,
    THROTTLED,
    Case,
    average_us,
    count_of,
    ms,
    percent,
    when,
)
from understudy.adapters.cli.symptoms.check import Check, Found, Symptom
from understudy.engine.alerts import LOCAL_FAULT
from understudy.engine.eligibility import PASSING
from understudy.events.counted import counted

_SEVERAL: Final = 2
_A_FEW: Final = 5
"""Calls without which nobody is called slow."""
_SLOWER: Final = 1.5
"""How much slower an hour must be than the provider is on average."""
_FAR_SLOWER: Final = 2
_HELD_UP: Final = 0.1
_NOTICEABLE_US: Final = 200_000
_SHOWN: Final = 3


def slow(case: Case) -> Sequence[tuple[str, int]]:
    """The providers whose calls take longer on average than `max_response_time_ms`, and how long that is."""
    found = []
    for name in case.names:
        calls = case.served(name)
        average = average_us(calls)
        enough = sum(one.calls for one in calls) >= _A_FEW
        if enough and average is not None and average > case.policy.max_response_time_ms * 1000:
            found.append((name, average))
    return found


def _network(case: Case) -> Iterator[Found]:
    do = "look at this machine's own connection; " + case.command("report hourly {} shows since when")
    raised = case.raised(LOCAL_FAULT)
    if raised:
        times = counted(len(raised), "time")
        yield Found(f"nearly all providers failed on the network at once {times}, lastly at {when(raised[-1])}", do)
    used = [name for name in case.names if case.served(name)]
    ill = slow(case)
    if len(ill) >= _SEVERAL and len(ill) == len(used):
        told = ", ".join(f"{name} {ms(average)}" for name, average in ill)
        yield Found(f"all providers in use are slow at the same time: {told}", do)


def _status_pages(case: Case) -> Iterator[Found]:
    for name, average in slow(case):
        yield Found(f"{name} takes {ms(average)} on average; {case.page(name)}", case.command(f'note {{}} {name} "…"'))


def _hours(case: Case) -> Iterator[Found]:
    for name in case.names:
        calls = case.over_days(name)
        average = average_us(calls)
        by_hour = {
            hour: [one for one in calls if one.hour % 24 == hour] for hour in sorted({one.hour % 24 for one in calls})
        }
        if average is None or len(by_hour) < _SEVERAL:
            continue
        slower = [
            (its, hour)
            for hour, found in by_hour.items()
            if (its := average_us(found)) is not None
            and its > max(_SLOWER * average, average + _NOTICEABLE_US)
            and sum(one.calls for one in found) >= ENOUGH
        ]
        if slower:
            told = ", ".join(f"{hour:02}:00 ({ms(its)})" for its, hour in sorted(slower, reverse=True)[:_SHOWN])
            says = f"{name} takes {ms(average)} on average, and far longer at {told} UTC"
            yield Found(says, case.command(f"report time-of-day {{}} --since {when(case.trends_us)}"))


def _regions(case: Case) -> Iterator[Found]:
    taken: dict[str, Counter[str]] = defaultdict(Counter)
    count: dict[str, Counter[str]] = defaultdict(Counter)
    for one in case.places:
        if one.country is not None and one.outcome in {SUCCESS, "timed_out"}:
            taken[one.provider][one.country] += one.latency_us
            count[one.provider][one.country] += one.calls
    for name, by_country in taken.items():
        for country, length_us in by_country.items():
            here = count[name][country]
            elsewhere = count[name].total() - here
            if here < _A_FEW or elsewhere < _A_FEW:
                continue
            usual_us = (by_country.total() - length_us) // elsewhere
            if length_us // here > max(_FAR_SLOWER * usual_us, usual_us + _NOTICEABLE_US):
                says = f"{name} takes {ms(length_us // here)} for {country}, and {ms(usual_us)} for other countries"
                yield Found(
                    says, 'set lane_by = ["country"], so that each is judged apart, then understudy policy check'
                )


def _rate_limits(case: Case) -> Iterator[Found]:
    for name in case.names:
        count, vetoes = case.vetoes(name)
        held = {veto: vetoes[veto] for veto in sorted(PASSING) if vetoes[veto]}
        if count >= _A_FEW and sum(held.values()) >= _HELD_UP * count:
            told = ", ".join(f"{veto} {counted(often, 'time')}" for veto, often in held.items())
            share = percent(sum(held.values()), count)
            says = f"{name} could not be asked at once in {share} of {count:,} decisions: {told}"
            yield Found(says, case.command("report fallback {}") + f"; then think about the limits of {name}")
    for name, average in slow(case):
        throttled = count_of(case.served(name), THROTTLED)
        if throttled:
            says = f"{name} takes {ms(average)} on average, and has throttled {throttled:,} calls: it is asked too much"
            yield Found(says, f"set max_in_flight of {name}, then understudy policy check")


SLOW: Final = Symptom(
    "slow",
    "Providers respond slowly",
    (
        Check("network", "whether all providers are slow, or out of reach, at the same time", "day", _network),
        Check("status-pages", "where slow providers say how they are", "day", _status_pages),
        Check("time-of-day", "response times by hour of the day", "week", _hours),
        Check("regions", "response times by country, of the latest calls", "latest", _regions),
        Check("rate-limits", "requests that had to wait for a limit, theirs or ours", "latest", _rate_limits),
    ),
)
