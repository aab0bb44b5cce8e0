"""Requests take long as a whole: rounds of quotes, limits of calls, ill providers, or the way to them?"""

from collections.abc import Iterator
from statistics import median
from typing import Final

from understudy.adapters.cli.symptoms.case import ENOUGH, SUCCESS, Case, average_us, count_of, ms, percent
from understudy.adapters.cli.symptoms.check import Check, Found, Symptom
from understudy.adapters.cli.symptoms.rates import quoters
from understudy.engine.request_state import QUOTE

_A_FEW: Final = 5
_FAR_SLOWER: Final = 2
_TOO_MANY: Final = 0.02
_FAR_AWAY_US: Final = 300_000
_NOTICEABLE_US: Final = 200_000


def _parallel(case: Case) -> Iterator[Found]:
    if case.policy.quote_grace_ms is not None:
        return
    taken = {
        name: average
        for name in quoters(case)
        if (average := average_us(quotes := case.asked(name, QUOTE))) is not None
        and sum(one.calls for one in quotes) >= _A_FEW
    }
    for name, average in taken.items():
        others = [one for other, one in taken.items() if other != name]
        if others and average > max(_FAR_SLOWER * median(others), median(others) + _NOTICEABLE_US):
            says = (
                f"a round of quotes waits for the slowest of {case.policy.max_parallel_requests}: {name} takes"
                f" {ms(average)}, the others {ms(int(median(others)))}"
            )
            yield Found(says, "set quote_grace_ms, or lower max_parallel_requests, then understudy policy check")


def _timeouts(case: Case) -> Iterator[Found]:
    for name in case.names:
        calls = case.served(name)
        late, count = count_of(calls, "timed_out"), sum(one.calls for one in calls)
        if count < ENOUGH or late < _TOO_MANY * count:
            continue
        longest_us = max((one.longest_us for one in calls if one.outcome == SUCCESS), default=0)
        says = (
            f"{percent(late, count)} of {count:,} calls of {name} ran out of their {ms(case.policy.timeout_us(name))};"
            f" no success took longer than {ms(longest_us)}"
        )
        yield Found(says, f"set request_timeout_ms of {name} a little above that, then understudy policy check")


def _health(case: Case) -> Iterator[Found]:
    for one in case.ill:
        name = one.judged.provider
        yield Found(f"{name} is {one.in_words}; {case.page(name)}", case.command("status {}"))


def _latency(case: Case) -> Iterator[Found]:
    for name in case.names:
        pings = case.asked(name, "ping")
        average = average_us(pings)
        if average is not None and average > _FAR_AWAY_US and count_of(pings, SUCCESS) >= _A_FEW:
            calls = average_us(case.served(name))
            beside = "" if calls is None else f", its calls {ms(calls)}"
            yield Found(
                f"a ping of {name} takes {ms(average)} on average{beside}: the way there is long", _way(case, name)
            )


def _way(case: Case, name: str) -> str:
    return f"ask {name} for a server that is nearer; " + case.command("report slowest {}") + " shows all operations"


SLOW_REQUESTS: Final = Symptom(
    "slow-requests",
    "Requests take long",
    (
        Check("parallel-quotes", "whether rounds of quotes wait for one slow service", "day", _parallel),
        Check("timeouts", "calls that ran out of time, beside what successes take", "day", _timeouts),
        Check("health", "providers that are not healthy, which cost retries and failovers", "now", _health),
        Check("latency", "how long pings take", "day", _latency),
    ),
)
