"""Which rule of a description an answer meets, and the error that it is then."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from http.client import responses
from typing import Final

from understudy.adapters.providers.http_description import Rule
from understudy.adapters.providers.http_messages import HttpReply
from understudy.adapters.providers.http_paths import as_text, find, says
from understudy.adapters.providers.http_status import LONGEST_CODE, LONGEST_TEXT, retry_after_ms, told, unsure
from understudy.engine.errors import (
    Ambiguous,
    InsufficientFunds,
    InvalidReply,
    Misconfigured,
    NotOffered,
    OutOfStock,
    ProviderError,
    RateLimited,
    Rejected,
    TimedOut,
    TooExpensive,
    Transient,
)
from understudy.events.vocabulary import FailureKind

_ERRORS: Final[dict[FailureKind, type[ProviderError]]] = {
    error.kind: error
    for error in (
        Transient,
        TimedOut,
        Ambiguous,
        InvalidReply,
        RateLimited,
        OutOfStock,
        NotOffered,
        TooExpensive,
        InsufficientFunds,
        Misconfigured,
        Rejected,
    )
}
_SUCCESS: Final = 2


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that an answer meets, and the words that it was met by: empty if the status alone decided."""

    rule: Rule
    words: str
    groups: dict[str, str | None]

    def part(self, name: str, reply: HttpReply) -> str | None:
        """What the rule says is the answer's `code`, `message` or `retry_after`; None if it says nothing of it."""
        place = getattr(self.rule, name)
        if place is not None:
            return as_text(find(reply.json, place.split(".")))
        return self.groups.get(name)


def first_hit(rules: Iterable[Rule], reply: HttpReply) -> Hit | None:
    """The first rule that an answer meets; None if it meets none."""
    return next((hit for rule in rules if (hit := _hit(rule, reply)) is not None), None)


def _hit(rule: Rule, reply: HttpReply) -> Hit | None:
    if rule.status and reply.status not in rule.status:
        return None
    if rule.field is None and rule.pattern is None:
        return Hit(rule, "", {})
    text: str | None = reply.text
    if rule.field is not None:
        value = find(reply.json, rule.field.split("."))
        if rule.missing:
            return None if says(value) else Hit(rule, "", {})
        text = as_text(value)
        if rule.equals or rule.pattern is None:
            holds = text in rule.equals if rule.equals else says(value)
            return Hit(rule, text or "", {}) if holds else None
    match = re.search(rule.pattern or "", text) if text is not None else None
    return None if match is None else Hit(rule, match[0], match.groupdict())


def error_of(hit: Hit, kind: FailureKind, reply: HttpReply, *, pause_ms: int | None) -> ProviderError:
    """The error that an answer is by a rule; `pause_ms` is what its headers ask for.

    Secrets are taken out before anything is cut: half a secret would not be known for one.
    """
    hide = reply.secrets.hide
    usual_code, usual_text = told(reply)
    code = hide(hit.part("code", reply) or hit.words or usual_code)[:LONGEST_CODE]
    text = hide(hit.part("message", reply) or usual_text)[:LONGEST_TEXT]
    if reply.status // 100 != _SUCCESS:
        text = f"{reply.status} {responses.get(reply.status, '')}".rstrip() + (f": {text}" if text else "")
    asked_ms = retry_after_ms(_seconds(hit.part("retry_after", reply)))
    pause_ms = next((one for one in (asked_ms, pause_ms) if one is not None), hit.rule.pause_ms)
    error = _ERRORS[kind]
    if error is Ambiguous:
        return unsure(reply.effect, text, code=code, retry_after_ms=pause_ms)
    return error(text, code=code, retry_after_ms=pause_ms)


def _seconds(text: str | None) -> str | None:
    """A number of seconds as the header would have it, an exponent written out; anything else as it is."""
    try:
        return None if text is None else format(Decimal(text), "f")
    except InvalidOperation:
        return text
