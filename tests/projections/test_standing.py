"""What the standing remembers beside its lanes: providers, stock, limits, alerts, totals."""

from dataclasses import replace
from decimal import Decimal

import pytest
from telling import NOON, Telling, policy, shared_with_the_end_of

from understudy.events.calls import CallSucceeded
from understudy.events.decisions import DecisionMade
from understudy.events.operations import EngineStarted, EngineStopped, OverrideCleared, OverrideSet
from understudy.events.requests import RequestAccepted, RequestCompleted, RequestSuspended
from understudy.events.row import Recorded
from understudy.events.vocabulary import Effect, ForcedState, Strategy, SuspendReason
from understudy.projections.lanes import Lanes, turn
from understudy.projections.provider_record import StockBelief, rate_interval_us, stock_key
from understudy.projections.standing import Standing, Totals

ENGINE = EngineStarted(version="1", rules_version=4, python="3.12", writer="me")


def decided(strategy: Strategy, *, provider: str | None, tier: int | None) -> DecisionMade:
    return DecisionMade(
        request_id="r", provider=provider, strategy=strategy, draw=0, tier=tier, order=(), candidates=()
    )


def test_before_the_first_event_nothing_is_known() -> None:
    standing = Standing()
    assert (standing.seq, standing.at_us, standing.providers, standing.totals) == (0, 0, {}, Totals())
    assert standing.serving_lane("alpha", {}) is None


def test_the_place_in_the_log_is_known_after_any_event() -> None:
    telling = Telling()
    assert telling.say(EngineStopped(writer="me"), at=5) == 0
    assert (telling.standing.seq, telling.standing.at_us) == (2, NOON + 5_000_000)


def test_a_throttled_provider_is_left_alone_until_the_latest_time_that_it_named() -> None:
    telling = Telling()
    started = telling.start(at=1)
    telling.end(started, "rate_limited", at=2, retry_after_us=9_000_000)
    telling.call("rate_limited", at=3)
    assert telling.standing.provider("alpha").throttled_until_us == NOON + 11_000_000


def test_a_throttle_that_names_no_time_lasts_as_long_as_the_policy_says() -> None:
    telling = Telling(policy=policy(throttle_ms=2_500))
    telling.call("rate_limited", at=1)
    assert telling.standing.provider("alpha").throttled_until_us == NOON + 3_500_000


def test_a_wrong_key_and_an_empty_account_are_remembered_until_a_call_succeeds() -> None:
    telling = Telling()
    telling.call("misconfigured", at=1)
    telling.call("insufficient_funds", at=2)
    record = telling.standing.provider("alpha")
    assert (record.misconfigured_us, record.unfunded_us) == (NOON + 1_000_000, NOON + 2_000_000)
    telling.call("success", at=3)
    assert (record.misconfigured_us, record.unfunded_us) == (0, 0)


def test_a_restart_and_an_operator_give_a_misconfigured_provider_another_chance() -> None:
    telling = Telling()
    record = telling.standing.provider("alpha")
    telling.call("misconfigured", at=1)
    telling.say(ENGINE, at=2)
    assert (record.misconfigured_us, telling.standing.rules_version) == (0, 4)
    telling.call("misconfigured", at=3)
    telling.say(OverrideCleared(provider="alpha", actor="ann", reason="new key"), at=4)
    assert record.misconfigured_us == 0


def test_a_forced_state_stands_until_its_end_or_until_it_is_cleared() -> None:
    telling = Telling()
    record = telling.standing.provider("alpha")
    assert record.forced(NOON) is None
    telling.say(OverrideSet(provider="alpha", state=ForcedState.OPEN, actor="ann", reason="bill"), at=1)
    assert record.forced(NOON * 2) is ForcedState.OPEN
    telling.say(OverrideCleared(provider="alpha", actor="ann", reason="paid"), at=2)
    assert record.forced(NOON) is None


@pytest.mark.parametrize(("how", "network"), [("transient", True), ("timed_out", False)])
def test_no_answer_at_all_is_remembered_apart_from_a_bad_one(how: str, *, network: bool) -> None:
    telling = Telling()
    telling.call("transient", at=1)
    record = telling.standing.provider("alpha")
    assert (record.answered_us, record.unreachable_us) == (NOON + 1_000_000, 0)
    telling.end(telling.start(at=1), how, at=2, network=network)
    assert (record.answered_us, record.unreachable_us) == (NOON + 1_000_000, NOON + 2_000_000)


def test_stock_is_believed_as_told_and_as_revealed_by_a_refusal() -> None:
    telling = Telling()
    asked = telling.start(at=1, operation="stock", country="us", service="wa")
    shared = shared_with_the_end_of(asked)
    telling.say(CallSucceeded(**shared, started_seq=telling.seq_of(asked), latency_us=1, stock=7), at=2)
    key = stock_key("alpha", "wa", "us")
    assert telling.standing.stock[key] == StockBelief(units=7, at_us=NOON + 2_000_000, revealed=False)
    telling.call("out_of_stock", at=3, country="us", service="wa")
    refused_us = NOON + 3_000_000
    told = StockBelief(units=0, at_us=refused_us, revealed=True, refusals=1, refused_us=refused_us)
    assert telling.standing.stock[key] == told


def test_only_serving_calls_are_in_flight_at_a_provider() -> None:
    telling = Telling()
    ping, call = telling.start(at=1, operation="ping"), telling.start(at=1)
    record = telling.standing.provider("alpha")
    assert record.in_flight == 1
    telling.end(ping, "timed_out", at=2)
    assert record.in_flight == 1
    telling.end(call, "abandoned", at=2)
    assert record.in_flight == 0


def test_our_own_rate_limits_are_used_up_by_calls() -> None:
    telling = Telling(policy=policy(alpha={"max_calls_per_second": Decimal(4)}, max_calls_per_second=Decimal(10)))
    for _ in range(2):
        telling.start(at=1)
    assert telling.standing.provider("alpha").rate_used_us == NOON + 1_500_000
    assert telling.standing.rate_used_us == NOON + 1_200_000
    assert rate_interval_us(None) == 0


def test_a_provider_that_the_policy_does_not_name_has_a_record_too() -> None:
    telling = Telling()
    telling.call("success", at=1, provider="stranger")
    assert telling.standing.providers["stranger"].answered_us == NOON + 1_000_000


def test_round_robin_remembers_its_last_first_choice_by_tier() -> None:
    telling = Telling()
    telling.say(decided(Strategy.SCORE, provider="alpha", tier=1), at=1)
    telling.say(decided(Strategy.ROUND_ROBIN, provider="beta", tier=2), at=1)
    telling.say(decided(Strategy.ROUND_ROBIN, provider=None, tier=None), at=1)
    assert telling.standing.last_first == {2: "beta"}
    assert telling.standing.totals.decisions == 3


def test_requests_are_counted_by_how_they_fared() -> None:
    telling = Telling()
    telling.say(RequestAccepted(request_id="a", operation="rent", effect=Effect.ONCE, deadline_at_us=0), at=1)
    completed = RequestCompleted(request_id="a", operation="rent", provider="beta", attempt=2, failovers=1)
    telling.say(completed, at=1)
    telling.call("rate_limited", at=1, request_id="b")
    telling.say(replace(completed, request_id="b", failovers=0), at=1)
    telling.request_fails("c", at=1)
    telling.say(
        RequestSuspended(
            request_id="d", operation="rent", provider="beta", attempt=1, key="k", reason=SuspendReason.NO_LOOKUP
        ),
        at=1,
    )
    totals = telling.standing.totals
    assert (totals.accepted, totals.completed, totals.failed, totals.suspended) == (1, 2, 1, 1)
    assert totals.failovers == 1
    assert telling.standing.spared == {}


def test_a_lane_is_made_once_and_its_ping_lane_before_it() -> None:
    lanes = Lanes(policy())
    assert lanes.index(("alpha", "serve")) == 1
    assert lanes.index(("alpha", "serve")) == 1
    assert lanes.keys == [("alpha", "ping"), ("alpha", "serve")]
    assert list(lanes.of("alpha")) == [(("alpha", "ping"), 0), (("alpha", "serve"), 1)]
    assert list(lanes.of("beta")) == []


def test_lanes_with_equal_thresholds_share_them() -> None:
    lanes = Lanes(policy(lane_by=("country",)))
    first, second = (lanes.index(("alpha", "serve", country)) for country in ("us", "de"))
    assert lanes.params[first] is lanes.params[second]


def test_an_event_that_does_not_concern_the_lanes_as_a_whole_does_not_turn_them() -> None:
    telling = Telling()
    telling.fail(2, at=2)
    before = telling.standing.lanes.state[:]
    turn(telling.standing.lanes, Recorded(9, NOON, ENGINE))
    assert telling.standing.lanes.state == before
