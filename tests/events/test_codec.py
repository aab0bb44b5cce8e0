"""Events to rows and back: what goes in comes out, and what cannot be read says where it lies and what is missing."""

import json
from typing import Any

import pytest
from event_samples import facts
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from examples import tried_on
from understudy.events.calls import CallStarted, CallSucceeded
from understudy.events.chain import genesis, link
from understudy.events.codec import KINDS, PAYLOAD_LIMIT, decode, encode, recorded
from understudy.events.errors import EventRefused, UnreadableEvent
from understudy.events.fact import Fact
from understudy.events.operations import EngineStopped
from understudy.events.requests import RequestAccepted, RequestCancelled
from understudy.events.row import COLUMNS, Row
from understudy.events.upcast import UPCASTERS, upcast
from understudy.events.vocabulary import Effect, EndReason

STOPPED = encode(EngineStopped(writer="me"), seq=7, at_us=11)
ENTRY = st.integers(min_value=0, max_value=2**62)


def accepted(body: Any) -> RequestAccepted:
    return RequestAccepted(request_id="r1", operation="rent", effect=Effect.ONCE, deadline_at_us=1, body=body)


@tried_on(30, soak=1_000)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_made_and_comes_back(kind: str, examples: int) -> None:
    @settings(max_examples=examples)
    @for_all(facts(kind), ENTRY, ENTRY)
    def comes_back(event: Fact, seq: int, at_us: int) -> None:
        row = encode(event, seq=seq, at_us=at_us)
        assert recorded(row) == (seq, at_us, event)
        assert row.kind == kind
        assert encode(decode(row), seq=seq, at_us=at_us) == row

    comes_back()


@for_all(st.sampled_from(sorted(KINDS)).flatmap(facts))
def test_what_is_a_column_is_not_in_the_payload_too(event: Fact) -> None:
    row = encode(event, seq=1, at_us=1)
    assert json.loads(row.payload).keys().isdisjoint(COLUMNS)


@for_all(st.sampled_from(sorted(KINDS)).flatmap(facts))
def test_the_columns_hold_what_the_fields_of_their_names_hold(event: Fact) -> None:
    row = encode(event, seq=1, at_us=1)
    assert {name: getattr(row, name) for name in COLUMNS} == {name: getattr(event, name, None) for name in COLUMNS}


def test_a_stored_name_ends_in_its_version() -> None:
    assert all(name == event.kind and name.rpartition(".v")[2].isdigit() for name, event in KINDS.items())


def test_a_call_is_a_kind_only_with_its_own_name() -> None:
    assert CallStarted in KINDS.values()
    assert {event.__name__ for event in KINDS.values()}.isdisjoint({"Fact", "CallFact"})


# --- what cannot be read


def unreadable(row: Row) -> str:
    with pytest.raises(UnreadableEvent) as raised:
        decode(row)
    return str(raised.value)


def test_an_unknown_kind_is_told_with_all_that_are_known() -> None:
    told = unreadable(STOPPED._replace(kind="engine_melted.v1"))
    assert told.startswith(
        "event 7: unknown kind 'engine_melted.v1'; this version of Understudy knows alert_channels_set.v1,"
    )
    assert "engine_stopped.v1" in told


def test_a_name_without_a_version_is_unknown() -> None:
    assert "unknown kind 'engine_stopped'" in unreadable(STOPPED._replace(kind="engine_stopped"))


def test_a_newer_version_is_told_with_the_one_that_is_known() -> None:
    assert unreadable(STOPPED._replace(kind="engine_stopped.v2")) == (
        "event 7: engine_stopped.v2 is newer than this version of Understudy can read (it knows engine_stopped.v1);"
        " upgrade to read this log"
    )


@pytest.mark.parametrize(
    ("payload", "what"),
    [
        ('{"writer":', "broken payload: "),
        ("", "broken payload: "),
        ('["me"]', "broken payload: not a JSON object"),
        ("{}", "field 'writer': Field required"),
        ('{"writer":1}', "field 'writer': Input should be a valid string"),
        ('{"writer":"me","mood":"good"}', "field 'mood': Unexpected keyword argument"),
    ],
)
def test_a_payload_that_does_not_fit_is_told_with_its_place_and_field(payload: str, what: str) -> None:
    assert unreadable(STOPPED._replace(payload=payload)).startswith(f"event 7 (engine_stopped.v1): {what}")


def test_a_field_deep_inside_is_named_with_its_path() -> None:
    row = STOPPED._replace(kind="policy_activated.v1", payload='{"policy":{"window":0},"policy_hash":"x"}')
    assert "field 'policy.window'" in unreadable(row)


# --- upcasting


def _v0(fields: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "engine_stopped.v1", {"writer": f"{fields['host']}:{fields['pid']}"}


def _older(fields: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "engine_stopped.v0", {**fields, "pid": 1}


def test_an_old_event_is_read_as_a_new_one() -> None:
    row = STOPPED._replace(kind="engine_stopped.v0", payload='{"host":"h","pid":4}')
    assert decode(row, upcasters={"engine_stopped.v0": _v0}) == EngineStopped(writer="h:4")


def test_upcasters_are_followed_to_the_end() -> None:
    row = STOPPED._replace(kind="engine_halted.v1", payload='{"host":"h"}')
    assert decode(row, upcasters={"engine_halted.v1": _older, "engine_stopped.v0": _v0}) == EngineStopped(writer="h:1")


def test_an_upcaster_sees_columns_and_payload_as_one() -> None:
    def renamed(fields: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return "request_cancelled.v1", {"request_id": fields["request_id"], "reason": fields["why"]}

    row = STOPPED._replace(kind="request_dropped.v1", request_id="r9", payload='{"why":"cancelled"}')
    meant = RequestCancelled(request_id="r9", reason=EndReason.CANCELLED)
    assert decode(row, upcasters={"request_dropped.v1": renamed}) == meant


def test_nothing_has_been_superseded_so_far() -> None:
    assert dict(UPCASTERS) == {}
    assert upcast("engine_stopped.v1", {"writer": "me"}) == ("engine_stopped.v1", {"writer": "me"})


# --- size


def test_a_request_that_is_too_large_is_refused_with_its_size() -> None:
    with pytest.raises(EventRefused, match=rf"too large .* \d+ bytes of JSON, at most {PAYLOAD_LIMIT}"):
        encode(accepted("x" * PAYLOAD_LIMIT), seq=1, at_us=1)


def test_the_limit_counts_bytes_and_not_characters() -> None:
    with pytest.raises(EventRefused):
        encode(accepted("ü" * (PAYLOAD_LIMIT // 2)), seq=1, at_us=1)


def test_a_request_of_just_that_size_is_taken() -> None:
    spare = PAYLOAD_LIMIT - len(encode(accepted(""), seq=1, at_us=1).payload)
    assert len(encode(accepted("x" * spare), seq=1, at_us=1).payload) == PAYLOAD_LIMIT
    with pytest.raises(EventRefused):
        encode(accepted("x" * (spare + 1)), seq=1, at_us=1)


def test_an_outcome_is_never_refused() -> None:
    reply = "x" * (2 * PAYLOAD_LIMIT)
    event = CallSucceeded(provider="a", operation="rent", started_seq=1, latency_us=1, reply=reply)
    assert decode(encode(event, seq=2, at_us=2)) == event


# --- the chain


def test_the_chain_covers_every_part_of_a_row() -> None:
    before = genesis("main")
    whole = link(before, STOPPED)
    others = [
        STOPPED._replace(seq=8),
        STOPPED._replace(at_us=12),
        STOPPED._replace(kind="x"),
        STOPPED._replace(payload=""),
    ]
    others += [Row._make([*STOPPED[: 3 + n], "1", *STOPPED[4 + n :]]) for n in range(len(COLUMNS))]
    values = {whole, link(genesis("other"), STOPPED), *(link(before, row) for row in others)}
    assert len(values) == len(others) + 2
    assert all(len(value) == 32 for value in values)
