"""All checks of all symptoms, by name, and what they find in a log."""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from understudy.adapters.cli.finding import Finding, Verdict
from understudy.adapters.cli.symptoms.case import Case
from understudy.adapters.cli.symptoms.check import Check, Symptom
from understudy.adapters.cli.symptoms.fallback import FALLBACK
from understudy.adapters.cli.symptoms.not_failing_over import NOT_FAILING_OVER
from understudy.adapters.cli.symptoms.rates import RATES
from understudy.adapters.cli.symptoms.recovery import RECOVERY
from understudy.adapters.cli.symptoms.slow import SLOW
from understudy.adapters.cli.symptoms.slow_requests import SLOW_REQUESTS
from understudy.adapters.cli.symptoms.unavailable import UNAVAILABLE
from understudy.events.errors import UnderstudyError

SYMPTOMS: Final[tuple[Symptom, ...]] = (
    UNAVAILABLE,
    SLOW,
    FALLBACK,
    NOT_FAILING_OVER,
    RATES,
    SLOW_REQUESTS,
    RECOVERY,
)
CHECKS: Final[Mapping[str, tuple[Symptom, Check]]] = {
    f"{symptom.name}/{check.step}": (symptom, check) for symptom in SYMPTOMS for check in symptom.checks
}
"""Every check by its name, which stays as it is."""

_OVER: Final = {
    "now": "as of now",
    "day": "in the last day, or since --since",
    "week": "in the last week, or since --since",
    "latest": "among the latest events",
}


def examine_symptoms(case: Case, names: Collection[str]) -> Iterator[Finding]:
    """What these checks find; one that finds nothing says what it has looked at."""
    for name in names:
        _, check = CHECKS[name]
        try:
            found = list(check.look(case))
        except UnderstudyError as error:
            yield Finding(name, Verdict.ADVICE, f"cannot be looked into: {error}")
            continue
        for one in found:
            yield Finding(name, Verdict.ADVICE, one.says, one.do)
        if not found:
            yield Finding(name, Verdict.FINE, f"nothing {_OVER[check.over]}: {check.looks_at}")
