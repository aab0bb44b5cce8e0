"""What most events are, in their usual shape: told and read back without pydantic, to the same byte and field.

Four kinds make up four fifths of every log. As pydantic has to be ready for anything, it takes several times as long
for them as what they usually hold is worth. Whatever is not usual (a field that is seldom set, a type that does not
fit) is answered with None here, and goes the general way: `codec` falls back on it, and it alone judges.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from pydantic_core import to_json

from understudy.events.calls import CallStarted, CallSucceeded
from understudy.events.decisions import Decision, DecisionMade
from understudy.events.fact import Fact
from understudy.events.requests import RequestAccepted, RequestCompleted
from understudy.events.row import Row
from understudy.events.vocabulary import Effect, Strategy, Via

Tell = Callable[[Any], str | None]
Read = Callable[[Row, dict[str, Any]], Fact | None]

_EFFECTS: Final[Mapping[str, Effect]] = {effect.value: effect for effect in Effect}
_TEXT: Final = (str, type(None))
_json: Final = partial(to_json, inf_nan_mode="null")


def _tell_accepted(event: RequestAccepted) -> str | None:
    if (
        event.preferred is not None
        or event.amount is not None
        or event.body is not None
        or event.key is not None
        or event.body_hash is not None
        or event.labels
        or event.principal
        or event.quoted
        or event.only is not None
        or event.undone_by is not None
        or event.undoes is not None
        or event.max_price is not None
        or event.subject is not None
    ):
        return None
    free = "true" if event.free_to_abandon else "false"
    return (
        f'{{"effect":"{event.effect}","deadline_at_us":{event.deadline_at_us},"free_to_abandon":{free}'
        ',"labels":{},"principal":""}'
    )


def _tell_started(event: CallStarted) -> str | None:
    key = event.key
    if event.amount_due is not None or event.drill is not None or not (key.isascii() and key.isalnum()):
        return None  # A key of our own is hexadecimal.
    return f'{{"key":"{key}","deadline_at_us":{event.deadline_at_us}}}'


def _tell_succeeded(event: CallSucceeded) -> str | None:
    if (
        event.reference is not None
        or event.cost is not None
        or event.stock is not None
        or event.finding is not None
        or event.quote is not None
        or event.amount_out is not None
        or event.drill is not None
    ):
        return None
    if event.reply is None:
        return f'{{"started_seq":{event.started_seq}}}'
    return f'{{"started_seq":{event.started_seq},"reply":{_json(event.reply).decode()}}}'


def _tell_completed(event: RequestCompleted) -> str:
    return f'{{"failovers":{event.failovers},"via":"{event.via}"}}'


TELL: Final[Mapping[type[Fact], Tell]] = {
    RequestAccepted: _tell_accepted,
    CallStarted: _tell_started,
    CallSucceeded: _tell_succeeded,
    RequestCompleted: _tell_completed,
}
"""The payload of an event by its type; None where it is not as usual."""


def _call_columns(row: Row) -> dict[str, Any] | None:
    """The columns of a call's events, or None if they do not fit."""
    _, _, _, request_id, provider, operation, attempt, retry, _, _, service, country, rental_id, pair, _ = row
    if not (
        type(provider) is str
        and type(operation) is str
        and type(attempt) is int
        and type(retry) is int
        and type(request_id) in _TEXT
        and type(service) in _TEXT
        and type(country) in _TEXT
        and type(rental_id) in _TEXT
        and type(pair) in _TEXT
    ):
        return None
    return {
        "request_id": request_id,
        "provider": provider,
        "operation": operation,
        "attempt": attempt,
        "retry": retry,
        "service": service,
        "country": country,
        "rental_id": rental_id,
        "pair": pair,
    }


def _read_accepted(row: Row, told: dict[str, Any]) -> RequestAccepted | None:
    named = told.get("effect")
    effect = _EFFECTS.get(named) if type(named) is str else None
    deadline_at_us = told.get("deadline_at_us")
    free_to_abandon = told.get("free_to_abandon")
    _, _, _, request_id, _, operation, _, _, _, _, service, country, rental_id, pair, _ = row
    if (
        len(told) != 5  # noqa: PLR2004 - these five, and nothing else.
        or effect is None
        or type(deadline_at_us) is not int
        or type(free_to_abandon) is not bool
        or told.get("labels") != {}
        or told.get("principal") != ""
        or type(request_id) is not str
        or type(operation) is not str
        or type(service) not in _TEXT
        or type(country) not in _TEXT
        or type(rental_id) not in _TEXT
        or type(pair) not in _TEXT
    ):
        return None
    return RequestAccepted(
        request_id=request_id,
        operation=operation,
        effect=effect,
        deadline_at_us=deadline_at_us,
        free_to_abandon=free_to_abandon,
        service=service,
        country=country,
        rental_id=rental_id,
        pair=pair,
    )


def _read_succeeded(row: Row, told: dict[str, Any]) -> CallSucceeded | None:
    started_seq, latency_us, columns = told.get("started_seq"), row.latency_us, _call_columns(row)
    usual = len(told) == 1 or (len(told) == 2 and "reply" in told)  # noqa: PLR2004 - with the reply or without.
    if columns is None or not usual or type(started_seq) is not int or type(latency_us) is not int:
        return None
    return CallSucceeded(**columns, started_seq=started_seq, latency_us=latency_us, reply=told.get("reply"))


def _read_started(row: Row, told: dict[str, Any]) -> CallStarted | None:
    key, deadline_at_us, columns = told.get("key"), told.get("deadline_at_us"), _call_columns(row)
    if columns is None or len(told) != 2 or type(key) is not str or type(deadline_at_us) is not int:  # noqa: PLR2004
        return None
    return CallStarted(**columns, key=key, deadline_at_us=deadline_at_us)


def _read_completed(row: Row, told: dict[str, Any]) -> RequestCompleted | None:
    failovers = told.get("failovers")
    _, _, _, request_id, provider, operation, attempt, _, _, _, _, _, _, _, _ = row
    if (
        len(told) != 2  # noqa: PLR2004 - these two, and nothing else.
        or type(failovers) is not int
        or told.get("via") != "call"
        or type(request_id) is not str
        or type(provider) is not str
        or type(operation) is not str
        or type(attempt) is not int
    ):
        return None
    return RequestCompleted(
        request_id=request_id,
        operation=operation,
        provider=provider,
        attempt=attempt,
        failovers=failovers,
        via=Via.CALL,
    )


READ: Final[Mapping[str, Read]] = {
    RequestAccepted.kind: _read_accepted,
    CallStarted.kind: _read_started,
    CallSucceeded.kind: _read_succeeded,
    RequestCompleted.kind: _read_completed,
}
"""The event of a row and its decoded payload, by the row's kind; None where it is not as usual."""

_DECISION: Final = re.compile(
    r'\{"strategy":"(\w+)","draw":(\d{1,10}),(?:"tier":(\d{1,3}),)?"explored":(true|false),"pinned":(true|false),'
    r'"order":\[("[^\]\\]*")\],"candidates":\[(?=\{)'
)
_STRATEGIES: Final[Mapping[str, Strategy]] = {strategy.value: strategy for strategy in Strategy}


def skim_decision(row: Row) -> Decision | None:
    """A decision that named somebody, without a look at its candidates: they are most of its bytes, and no fold asks.

    None for any other row, and for one that does not look as it was written.
    """
    texts = (row.provider, row.request_id, row.payload)
    if row.kind != DecisionMade.kind or not all(type(text) is str for text in texts):
        return None
    found = _DECISION.match(row.payload)
    if found is None or not row.payload.endswith("}]}"):
        return None
    name, draw, tier, explored, pinned, order = found.groups()
    ids = tuple(order[1:-1].split('","'))
    strategy = _STRATEGIES.get(name)
    if strategy is None or ids[0] != row.provider or row.request_id is None:
        return None
    return Decision(
        request_id=row.request_id,
        strategy=strategy,
        draw=int(draw),
        tier=None if tier is None else int(tier),
        explored=explored == "true",
        pinned=pinned == "true",
        order=ids,
        tell=lambda: row.payload[found.end() : -2],
    )
