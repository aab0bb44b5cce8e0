"""What `provider_health` says in SQL is what the engine says, of any history and at any later instant."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import hypothesis
import pytest
from given import NOON
from histories import MOVES, History, Move, policies
from hypothesis import given as for_all
from hypothesis import strategies as st

from examples import tried_on
from understudy.adapters.stores import read_models, schema
from understudy.adapters.stores.provider_facts import line_of_all
from understudy.engine import eligibility, wares
from understudy.engine.eligibility import THROTTLED, UNFUNDED
from understudy.engine.health import health
from understudy.engine.health_facts import tell
from understudy.events.calls import CallFailed, CallStarted, CallSucceeded
from understudy.events.operations import PolicyActivated
from understudy.events.policy import Policy
from understudy.events.row import Recorded
from understudy.events.vocabulary import FailureKind
from understudy.projections.standing import Standing
from understudy.projections.views import lane_view

OF_THE_MOMENT = eligibility.PASSING - {eligibility.THROTTLED} | {wares.OUT_OF_STOCK}
"""Verdicts that depend on what is asked for, or on calls under way: the view does not know of these."""
LATER_US = (0, 1, 100_000, 4_999_999, 30_000_000, 3_600_000_000, 86_400_000_001, 90_000_000_000)


def asked(standing: Standing, now_us: int) -> list[sqlite3.Row]:
    """The rows of the view over a fresh store that has the facts of a standing."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        schema.create(connection, stream="main", salt=b"")
        line = line_of_all(lambda providers: tell(standing, providers))
        names = ", ".join(line.row._fields)
        marks = ", ".join("?" * len(line.row))
        connection.execute(f"INSERT INTO events (stream, {names}, chain) VALUES ('main', {marks}, x'')", line.row)
        assert connection.execute("SELECT count(*) FROM events").fetchone()[0] == 0
        return connection.execute(read_models.health_view(str(now_us))).fetchall()


@tried_on(60, soak=3_000)
def test_sql_and_engine_say_the_same_of_every_provider_at_any_later_instant(examples: int) -> None:
    @hypothesis.settings(max_examples=examples)
    @for_all(policies(), MOVES, st.sampled_from(LATER_US) | st.integers(0, 10**11))
    def hold(policy: Policy, moves: list[Move], later_us: int) -> None:
        standing = History(policy).play(moves).story.ledger.standing
        compare(standing, standing.at_us + later_us)

    hold()


@tried_on(30, soak=1_000)
def test_they_do_when_records_are_split_otherwise_meanwhile(examples: int) -> None:
    @hypothesis.settings(max_examples=examples)
    @for_all(policies(), MOVES, st.sampled_from(((), ("country",), ("service",))), MOVES, st.sampled_from(LATER_US))
    def hold(policy: Policy, moves: list[Move], lane_by: tuple[str, ...], more: list[Move], later_us: int) -> None:
        history = History(policy).play(moves)
        history.story.adopts(history.story.standing.policy.model_copy(update={"lane_by": lane_by}))
        standing = history.story.standing
        compare(standing, standing.at_us + later_us)
        history.play(more)
        compare(standing, standing.at_us + later_us)

    hold()


def compare(standing: Standing, now_us: int) -> None:
    for row, said in zip(asked(standing, now_us), health(standing, now_us), strict=True):
        hypothesis.note(f"{dict(row)} {said}")
        assert row["provider"] == said.provider
        assert row["status"] == said.status
        if not standing.stock:  # What is in stock differs by what is asked for; the view's score leaves it out.
            assert row["score"] == round(said.score / 1000, 2)
        assert row["success_rate"] == (None if said.success_bp is None else said.success_bp / 100)
        if said.average_us:
            assert row["avg_response_time_ms"] == (said.average_us + 500) // 1000
        if said.verdict not in OF_THE_MOMENT:
            assert (row["verdict"], row["until"]) == (said.verdict, in_utc(said.until_us))


def in_utc(at_us: int | None) -> str | None:
    """As SQLite has it, which knows milliseconds."""
    if at_us is None:
        return None
    with closing(sqlite3.connect(":memory:")) as connection:
        return str(connection.execute(f"SELECT {read_models.utc('?')}", [at_us]).fetchone()[0])


@for_all(policy=policies(), moves=MOVES)
def test_its_counts_are_those_of_all_serving_calls(policy: Policy, moves: list[Move]) -> None:
    standing = History(policy).play(moves).story.ledger.standing
    for row in asked(standing, standing.at_us):
        lanes = [lane_view(standing, index, now_us=standing.at_us) for index in serving(standing, row["provider"])]
        assert row["successful_requests"] == sum(one.succeeded for one in lanes)
        assert row["failed_requests"] == sum(one.failed for one in lanes)
        others = sum(one.throttled + one.declined + one.abandoned for one in lanes)
        assert row["total_requests"] == row["successful_requests"] + row["failed_requests"] + others
        assert row["retries"] == sum(one.retries for one in lanes)


def serving(standing: Standing, provider: str) -> Iterator[int]:
    return (index for key, index in standing.lanes.of(provider) if key[1] == "serve")


def test_a_history_begins_when_providers_are_healthy_and_unknown() -> None:
    policy = Policy.model_validate({"providers": [{"id": "p0"}, {"id": "p1"}]})
    rows = asked(History(policy).story.ledger.standing, NOON)
    assert [tuple(row)[:4] for row in rows] == [("p0", "healthy", None, None), ("p1", "healthy", None, None)]
    assert [(row["score"], row["circuit"], row["last_checked_at"]) for row in rows] == [(100.0, "closed", None)] * 2


def test_who_is_left_alone_for_as_long_as_a_circuit_rests_is_degraded_no_longer() -> None:
    policy = Policy.model_validate(
        {"providers": [{"id": "p0"}], "max_failures": 9, "recovery_time_ms": 5_000, "window": 10}
    )
    standing = Standing()
    told: list[Any] = [PolicyActivated(policy=policy, policy_hash=policy.content_hash)]
    for number in range(4):
        call: dict[str, Any] = {"provider": "p0", "operation": "x", "request_id": f"r{number}", "attempt": 1}
        told.append(CallStarted(key="k", deadline_at_us=NOON + 10**7, **call))
        call |= {"started_seq": len(told), "latency_us": 1_000}
        told.append(CallSucceeded(**call) if number % 2 else CallFailed(outcome=FailureKind.TRANSIENT, **call))
    for seq, event in enumerate(told, start=1):
        standing.fold(Recorded(seq, NOON, event))
    statuses = [asked(standing, NOON + after_us)[0]["status"] for after_us in (0, 4_999_999, 5_000_000)]
    assert statuses == ["degraded", "degraded", "healthy"]


@pytest.mark.parametrize(
    ("failure", "verdict"),
    [
        ({"outcome": FailureKind.INSUFFICIENT_FUNDS}, UNFUNDED),
        ({"outcome": FailureKind.RATE_LIMITED, "retry_after_us": 5_000_000}, THROTTLED),
    ],
)
def test_who_lacks_our_funds_or_asked_us_to_wait_is_healthy_and_says_why_it_is_not_asked_until_when(
    failure: dict[str, Any], verdict: str
) -> None:
    policy = Policy.model_validate({"providers": [{"id": "p0"}], "recovery_time_ms": 5_000})
    call: dict[str, Any] = {"provider": "p0", "operation": "x", "request_id": "r", "attempt": 1}
    told: list[Any] = [
        PolicyActivated(policy=policy, policy_hash=policy.content_hash),
        CallStarted(key="k", deadline_at_us=NOON + 10**7, **call),
        CallFailed(**call, started_seq=2, latency_us=1_000, **failure),
    ]
    standing = Standing()
    for seq, event in enumerate(told, start=1):
        standing.fold(Recorded(seq, NOON, event))
    (resting,), (rested,) = asked(standing, NOON + 4_999_000), asked(standing, NOON + 5_000_000)
    assert (resting["status"], resting["verdict"]) == ("healthy", verdict)
    assert resting["until"] == in_utc(NOON + 5_000_000)
    assert (rested["verdict"], rested["until"]) != (verdict, resting["until"])
    (said,) = health(standing, NOON + 4_999_000)
    assert (said.verdict, said.until_us) == (verdict, NOON + 5_000_000)
