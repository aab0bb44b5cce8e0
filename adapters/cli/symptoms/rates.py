"""Conversions go through at poor rates: are quotes compared, do they come in time, and are they to be trusted?"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from understudy.adapters.cli.symptoms.case import Case, count_of, percent
from understudy.adapters.cli.symptoms.check import Check, Found, Symptom
from understudy.engine.request_state import QUOTE
from understudy.events.vocabulary import Strategy

_SEVERAL: Final = 2
_A_FEW: Final = 5
_TOO_MANY: Final = 0.05
_POLICY: Final = "then understudy policy check"


def quoters(case: Case) -> Sequence[str]:
    """Who can be asked for quotes."""
    return [one.id for one in case.policy.providers if one.has_quote]


def _comparison(case: Case) -> Iterator[Found]:
    able = quoters(case)
    if not able:
        return
    if not case.policy.always_use_best_rate:
        says = "always_use_best_rate is off: the strategy chooses among honest quotes, whichever pays out more"
        yield Found(says, f"set always_use_best_rate = true, {_POLICY}")
    if len(able) < _SEVERAL:
        yield Found(f"only {able[0]} can be asked for quotes: there is nothing to compare", "add another service")
    elif case.policy.max_parallel_requests < _SEVERAL:
        says = "max_parallel_requests is 1: one quote a round, with nothing to compare it with"
        yield Found(says, f"raise max_parallel_requests, {_POLICY}")


def _timeouts(case: Case) -> Iterator[Found]:
    for name in quoters(case):
        quotes = case.asked(name, QUOTE)
        late, count = count_of(quotes, "timed_out") + count_of(quotes, "abandoned"), sum(one.calls for one in quotes)
        if count >= _A_FEW and late >= _TOO_MANY * count:
            limit_ms = case.policy.timeout_us(name) // 1000
            says = f"{percent(late, count)} of {count:,} quotes of {name} did not come within {limit_ms:,} ms"
            yield Found(says, f"raise request_timeout_ms of {name}, or quote_grace_ms, {_POLICY}")


def _weights(case: Case) -> Iterator[Found]:
    policy, able = case.policy, quoters(case)
    weightless = [one.id for one in policy.providers if one.has_quote and not one.weight]
    if policy.strategy is Strategy.WEIGHTED and weightless:
        says = f"{', '.join(weightless)} has weight 0: by weight it is never asked for a quote"
        yield Found(says, f"give it a weight, {_POLICY}")
    asked = {name: sum(one.calls for one in case.asked(name, QUOTE)) for name in able}
    never = [name for name, count in asked.items() if not count]
    if never and max(asked.values(), default=0) >= _A_FEW:
        says = (
            f"{', '.join(never)} was asked for no quote while others were asked {max(asked.values()):,} times: a round"
            f" asks {policy.max_parallel_requests} of {len(able)}, by strategy {policy.strategy}"
        )
        yield Found(says, f"raise max_parallel_requests, or look at weights and tiers, {_POLICY}")


def _calculation(case: Case) -> Iterator[Found]:
    excluded: Counter[tuple[str, str]] = Counter()
    rounds = [one["consensus"] for one in case.decisions if one.get("consensus")]
    for consensus in rounds:
        excluded.update(consensus.get("excluded", {}).items())
    for (name, verdict), count in sorted(excluded.items()):
        says = f"the quote of {name} was not taken in {count:,} of the latest {len(rounds):,} rounds: {verdict}"
        yield Found(says, case.command("explain {} last") + " shows every quote net of fees, and the reference")
    for one in case.providers:
        for quarantine in one.seen.quarantines:
            says = f"{one.judged.provider} is in quarantine for {quarantine.pair}: its quotes do not count"
            yield Found(says, case.command("events {} --kind quarantine_set") + " shows the evidence")


RATES: Final = Symptom(
    "rates",
    "Conversions go through at poor rates",
    (
        Check("comparison", "whether quotes are compared at all", "now", _comparison),
        Check("timeouts", "quotes that did not come in time", "day", _timeouts),
        Check("weights", "services that are never asked for a quote", "day", _weights),
        Check("calculation", "quotes that were not trusted, and quarantines", "latest", _calculation),
    ),
)
