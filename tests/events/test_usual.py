"""The short way for usual events leads where the general way leads, and whatever is not usual takes the general way."""

from dataclasses import fields, replace
from typing import Any

import pytest
from event_samples import facts
from hypothesis import given as for_all
from hypothesis import strategies as st
from pydantic_core import from_json

from understudy.events.calls import CallStarted, CallSucceeded
from understudy.events.codec import KINDS, decode, encode, recorded, skimmed
from understudy.events.decisions import DecisionMade
from understudy.events.errors import UnreadableEvent
from understudy.events.fact import Fact, adapter
from understudy.events.requests import RequestAccepted, RequestCompleted
from understudy.events.row import COLUMNS, Row
from understudy.events.usual import READ, TELL, skim_decision
from understudy.events.vocabulary import Effect, Via

ACCEPTED = RequestAccepted(request_id="r1", operation="rent", effect=Effect.READ, deadline_at_us=9, country="us")
STARTED = CallStarted(request_id="r1", provider="alpha", operation="rent", attempt=1, key="c0ffee", deadline_at_us=9)
SUCCEEDED = CallSucceeded(request_id="r1", provider="alpha", operation="rent", started_seq=3, latency_us=5)
COMPLETED = RequestCompleted(request_id="r1", operation="rent", provider="alpha", attempt=1, failovers=0)
USUAL: list[Fact] = [
    ACCEPTED,
    replace(ACCEPTED, free_to_abandon=True, effect=Effect.ONCE),
    STARTED,
    SUCCEEDED,
    replace(SUCCEEDED, reply={"number": None, "rates": [1.5, "ü\n\u2028"]}),
    COMPLETED,
]
_WRONG: st.SearchStrategy[Any] = st.sampled_from([None, 1, 1.5, True, "1", "", b"x", [], {}, {"a": 1}])


def general_payload(event: Fact) -> str:
    own = {field.name for field in fields(event)} & {*COLUMNS}
    return adapter(type(event)).serializer.to_json(event, exclude=own, exclude_none=True).decode()


def columns_of(row: Row) -> dict[str, Any]:
    own = {field.name for field in fields(KINDS[row.kind])}
    return {name: getattr(row, name) for name in COLUMNS if name in own}


def general_reading(row: Row) -> Fact | None:
    """What pydantic makes of a row; None if it is not to be read."""
    try:
        return KINDS[row.kind].of({**from_json(row.payload), **columns_of(row)})
    except ValueError:
        return None


@pytest.mark.parametrize("kind", sorted(READ))
def test_what_is_told_the_short_way_is_what_pydantic_tells(kind: str) -> None:
    @for_all(facts(kind))
    def agrees(event: Fact) -> None:
        assert TELL[type(event)](event) in {None, general_payload(event)}

    agrees()


@pytest.mark.parametrize("event", USUAL)
def test_usual_events_do_take_the_short_way(event: Fact) -> None:
    row = encode(event, seq=1, at_us=1)
    assert TELL[type(event)](event) == row.payload == general_payload(event)
    assert READ[row.kind](row, from_json(row.payload)) == event == general_reading(row)


def test_a_number_that_json_does_not_have_is_told_as_pydantic_tells_it() -> None:
    event = replace(SUCCEEDED, reply=[float("inf"), float("nan")])
    assert TELL[CallSucceeded](event) == general_payload(event)


@pytest.mark.parametrize(
    "event",
    [
        replace(ACCEPTED, preferred="alpha"),
        replace(ACCEPTED, labels={"order": "17"}),
        replace(ACCEPTED, principal="me"),
        replace(ACCEPTED, body=[1]),
        replace(ACCEPTED, key="order-17"),
        replace(STARTED, key='quo"te'),
        replace(STARTED, key="ümlaut"),
        replace(SUCCEEDED, reference="ref"),
        replace(SUCCEEDED, stock=0),
    ],
)
def test_what_is_not_usual_takes_the_general_way(event: Fact) -> None:
    assert TELL[type(event)](event) is None
    assert decode(encode(event, seq=1, at_us=1)) == event


def test_another_way_to_the_end_is_read_the_general_way() -> None:
    row = encode(replace(COMPLETED, via=Via.LOOKUP), seq=1, at_us=1)
    assert READ[row.kind](row, from_json(row.payload)) is None
    assert decode(row) == replace(COMPLETED, via=Via.LOOKUP)


@pytest.mark.parametrize("event", USUAL)
def test_a_row_that_was_tampered_with_is_read_as_pydantic_reads_it_or_not_at_all(event: Fact) -> None:
    row = encode(event, seq=1, at_us=1)
    names = [*from_json(row.payload), *(name for name in COLUMNS if name != "outcome"), "unheard_of"]

    @for_all(st.sampled_from(names), _WRONG)
    def agrees(name: str, wrong: Any) -> None:
        told = from_json(row.payload)
        other: Any = {name: wrong}
        harmed = row._replace(**other) if name in COLUMNS else row
        if name not in COLUMNS:
            told[name] = wrong
        found = READ[row.kind](harmed, told)
        if found is not None:
            assert repr(found) == repr(KINDS[row.kind].of({**told, **columns_of(harmed)}))

    agrees()


@pytest.mark.parametrize("event", USUAL)
@pytest.mark.parametrize("name", ["operation", "request_id"])
def test_a_column_of_another_type_is_refused_by_name(event: Fact, name: str) -> None:
    wrong: Any = {name: 5}
    row = encode(event, seq=1, at_us=1)._replace(**wrong)
    with pytest.raises(UnreadableEvent, match=name):
        decode(row)


# --- decisions, of which folds need but the head


@for_all(facts(DecisionMade.kind))
def test_a_skimmed_decision_says_what_the_whole_one_says(event: Fact) -> None:
    row = encode(event, seq=1, at_us=1)
    assert skimmed(row) == recorded(row)


@for_all(st.sampled_from(sorted(KINDS)).flatmap(facts))
def test_every_other_event_is_skimmed_by_reading_it(event: Fact) -> None:
    row = encode(event, seq=1, at_us=1)
    assert skimmed(row) == recorded(row)


DECISION = Row(
    1, 1, DecisionMade.kind, "r1", "alpha", *(None,) * 9,
    '{"strategy":"score","draw":7,"tier":1,"explored":false,"pinned":false,"order":["alpha","beta"],"candidates":['
    '{"provider":"alpha","tier":1,"verdict":"eligible","score":1,"rate_points":1,"speed_points":0,"stock_points":0,'
    '"recency_points":0,"propensity_ppm":0,"rank":1}]}',
)  # fmt: skip


def test_a_decision_as_it_was_written_is_skimmed() -> None:
    skim = skim_decision(DECISION)
    assert skim is not None
    assert skim == decode(DECISION)
    assert (skim.provider, skim.draw, skim.tier, skim.order) == ("alpha", 7, 1, ("alpha", "beta"))
    assert [one.verdict for one in skim.candidates] == ["eligible"]


@pytest.mark.parametrize(
    "change",
    [
        {"provider": None},
        {"provider": "beta"},
        {"provider": 5},
        {"payload": DECISION.payload.encode()},
        {"request_id": None},
        {"kind": "call_started.v1"},
        {"payload": DECISION.payload.replace("score", "luck", 1)},
        {"payload": DECISION.payload.replace('"draw":7', '"draw":"7"')},
        {"payload": DECISION.payload.replace('"order":["alpha","beta"]', '"order":[]')},
        {"payload": DECISION.payload[:-1]},
    ],
)
def test_a_decision_that_looks_otherwise_is_not_skimmed(change: Any) -> None:
    assert skim_decision(DECISION._replace(**change)) is None
