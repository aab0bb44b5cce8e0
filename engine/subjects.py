"""Whom or what an alert may be about: how its subject is written, and whether there is such a one.

A silence of a subject that can never be is no silence: people would be told all the same.
"""

import re
from collections.abc import Collection
from typing import Final, NamedTuple

from understudy.events.alerts import (
    CHORE_FAILED,
    CIRCUIT_OPEN,
    FALLBACK_SHARE,
    LOG_TROUBLE,
    LONG_THROTTLE,
    LOW_STOCK,
    SUCCESS_RATE,
)
from understudy.events.names import did_you_mean
from understudy.events.policy import Policy
from understudy.projections.alerting import silence_key
from understudy.projections.lanes import CIRCUITS
from understudy.projections.standing import Standing

OF_A_REQUEST: Final = frozenset({"suspended", "late_success", "unclaimed", "contradiction"})
"""Alerts whose subject begins with a request's id."""
_OF_THE_ENGINE: Final = frozenset({LOG_TROUBLE, "local_fault", "emergency"})
_SPLIT: Final = frozenset({SUCCESS_RATE, CIRCUIT_OPEN})
"""Alerts about a record, of which a provider has several where `lane_by` splits it."""
_OTHER_CLASSES: Final = "|".join(one for one in CIRCUITS if one != "serve")


class _Form(NamedTuple):
    """How the subject of an alert is written: what it is about, its parts, an example, and what fits.

    Shape:  a provider's id stands in the example in the place of `{}`: the one that was named, or else the first.
    """

    about: str
    parts: str
    example: str
    fits: str

    def sentence(self, alert: str, subject: str, policy: Policy) -> str:
        """What to say of a subject that does not fit."""
        named = subject.replace("|", " ").partition(" ")[0]
        example = self.example.format(named if named in policy.by_id else next(iter(policy.by_id), "alpha"))
        form = f"written as {self.parts}, such as {example!r}"
        return f"{alert} is about {self.about}, {form}; {subject!r} is not of that form"


_PROVIDER: Final = r"(?P<provider>[^\s|]+)"
_A_PROVIDER: Final = _Form("a provider", "PROVIDER", "{}", _PROVIDER)
_A_REQUEST: Final = _Form("a request", "its id", "0646f2a1c8d0", r"[^\s|]+")
_FORMS: Final = {
    LOW_STOCK: _Form("a provider and a ware", "PROVIDER COUNTRY:SERVICE", "{} us:wa", rf"{_PROVIDER} [^:]+:.+"),
    "phantom_stock": _Form(
        "a provider, a country and a service", "PROVIDER|COUNTRY|SERVICE", "{}|us|wa", rf"{_PROVIDER}\|[^|]*\|.*"
    ),
    "quarantine": _Form("a provider and a pair", "PROVIDER PAIR", "{} BTC/USD", rf"{_PROVIDER} [^\s/]+/\S+"),
    "no_honest_quote": _Form("a pair", "PAIR", "BTC/USD", r"[^\s/]+/\S+"),
    "misconfigured": _A_PROVIDER,
    "insufficient_funds": _A_PROVIDER,
    LONG_THROTTLE: _A_PROVIDER,
    FALLBACK_SHARE: _Form("an operation", "its name", "rent", r".+"),
    **dict.fromkeys(OF_A_REQUEST, _A_REQUEST),
    "late_success": _Form(
        "a request", "its id, or its id and a provider", "0646f2a1c8d0 {}", rf"[^\s|]+( {_PROVIDER})?"
    ),
    "command_refused": _Form("a command of the inbox", "its number", "12", r"[1-9][0-9]*"),
    CHORE_FAILED: _Form("a chore of the engine", "its name", "archive", r"\S+"),
}


def no_such_subject(
    standing: Standing, alert: str, subject: str | None, *, operations: Collection[str] = ()
) -> str | None:
    """What to say of a subject that an alert can never be about; None if it can, now or later.

    `operations` are those that are known besides those that requests have been served of. There may be more, which
    nobody has called yet: what is refused is what looks like a slip.
    """
    if subject is None or silence_key(alert, subject) in standing.alerts:
        return None
    if alert in _OF_THE_ENGINE:
        return f"{alert} is about the engine itself, and has no subject; leave {subject!r} out" if subject else None
    form = _form(standing.policy, alert)
    found = re.fullmatch(form.fits, subject)
    if found is None:
        return form.sentence(alert, subject, standing.policy)
    known = standing.policy.by_id
    provider = found.groupdict().get("provider")
    if provider is not None and provider not in known:
        return f"{alert} is about {form.about}, and there is no provider {_unknown(provider, known)}"
    if alert == FALLBACK_SHARE:
        served = dict.fromkeys([*standing.alerting.shares, *operations])
        if subject not in served and subject in known:
            return f"{alert} is about an operation, and {subject!r} is a provider; leave it out for all operations"
        if subject not in served and did_you_mean(subject, served):
            return f"{alert} is about an operation, and there is no operation {_unknown(subject, served)}"
    return None


def _form(policy: Policy, alert: str) -> _Form:
    if alert not in _SPLIT:
        return _FORMS[alert]
    others = f"| ({_OTHER_CLASSES})" if alert == CIRCUIT_OPEN else ""
    fits = rf"{_PROVIDER}(( \S.*){{{len(policy.lane_by)}}}{others})"  # A value may have spaces in it.
    if not policy.lane_by:
        return _A_PROVIDER._replace(fits=fits)
    parts = " ".join(["PROVIDER", *(name.upper() for name in policy.lane_by)])
    example = " ".join(["{}", *("any" for _ in policy.lane_by)])
    return _Form("a provider's record", f"{parts} (as lane_by splits it)", example, fits)


def _unknown(name: str, known: Collection[str]) -> str:
    there = f"there are {', '.join(known)}" if known else "there is none yet"
    return f"{name!r}{did_you_mean(name, known) or f'; {there}'}"
