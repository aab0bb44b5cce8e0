"""Conversions as their callers see them: quotes first, the best honest one taken, and nothing moved twice."""

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from providers_for_tests import Told
from quoters import CONVERT, ETH_BTC, Findable, Quoter

from understudy.adapters import MemoryLog
from understudy.engine import (
    AllProvidersFailed,
    Ambiguous,
    Answer,
    Engine,
    EngineClosed,
    Fees,
    Finding,
    Found,
    InvalidRequest,
    Misconfigured,
    NoHonestQuote,
    NoProviderAvailable,
    NotOffered,
    Operation,
    OutcomeUnknown,
    Policy,
    ProviderSettings,
    RateLimited,
    RequestError,
    Strategy,
    TimedOut,
    Transient,
)
from understudy.events.calls import CallAbandoned, CallFailed, CallStarted, CallSucceeded
from understudy.events.codec import decode
from understudy.events.decisions import DecisionMade
from understudy.events.fact import Fact
from understudy.events.operations import AlertRaised
from understudy.events.quotes import QuarantineReleased, QuarantineSet, Quote, QuotesRequested

POLICY = Policy(strategy=Strategy.WEIGHTED, retry_attempts=0)
EIGHT = Decimal(8)


def events(log: Any, kind: type[Fact]) -> list[Any]:
    with log.reader() as reader:
        return [event for row in reader.rows() if isinstance(event := decode(row), kind)]


async def convert(engine: Engine, amount: str | Decimal = "2", **more: Any) -> Answer:
    return await engine.call("convert", context=ETH_BTC, amount=amount, **more)


def played(
    stage: Any,
    *providers: Quoter,
    policy: Policy = POLICY,
    act: Callable[[Engine], Coroutine[Any, Any, Any]] = convert,
    log: MemoryLog | None = None,
) -> Any:
    """What an act on an engine with these providers returns."""

    async def play() -> Any:
        engine = stage.engine(*providers, policy=policy, operations=(CONVERT,), watch=False, log=log)
        async with engine:
            return await act(engine)

    return stage.play(play)


def verdicts(log: Any) -> dict[str, str]:
    return {one.provider: one.verdict for one in events(log, DecisionMade)[-1].candidates}


def test_the_best_rate_is_taken_and_told(stage: Any) -> None:
    alpha, beta, gamma = Quoter("alpha", "0.0500"), Quoter("beta", "0.0502"), Quoter("gamma", "0.0501")
    answer = played(stage, alpha, beta, gamma)
    assert (answer.provider, answer.amount_out, answer.failovers) == ("beta", Decimal("0.1004"), 0)
    assert answer.quote == Quote(rate=Decimal("0.0502"))
    assert (answer.attempts, answer.reference) == (1, "tx-beta")
    decision = events(stage.logs[0], DecisionMade)[-1]
    assert decision.order == ("beta", "gamma", "alpha")
    assert decision.consensus.reference == Decimal("0.0501")
    assert [one.quote.net for one in decision.candidates] == [Decimal("0.1000"), Decimal("0.1004"), Decimal("0.1002")]


def test_what_fees_leave_is_compared_not_the_rate(stage: Any) -> None:
    dear = ProviderSettings(id="dear", fees=Fees(percent=Decimal(1), withdrawal={"BTC": Decimal("0.0001")}))
    answer = played(stage, Quoter("dear", "0.0503", settings=dear), Quoter("plain", "0.0500"))
    assert answer.provider == "plain"
    dear_quote = events(stage.logs[0], DecisionMade)[-1].candidates[0].quote
    assert dear_quote.net == Decimal(2) * Decimal("0.0503") * Decimal("0.99") - Decimal("0.0001")


def test_quotes_are_asked_for_at_once_and_a_slow_one_delays_nothing_past_its_time(stage: Any) -> None:
    slow = Quoter("slow", quote_s=60)
    answer = played(stage, slow, Quoter("alpha"), Quoter("beta"), act=timed)
    assert answer == (pytest.approx(5.1), "alpha")
    assert verdicts(stage.logs[0]) == {"slow": "no_quote", "alpha": "eligible", "beta": "eligible"}


async def timed(engine: Engine) -> tuple[float, str]:
    began_s = asyncio.get_running_loop().time()
    answer = await convert(engine)
    return asyncio.get_running_loop().time() - began_s, answer.provider


def test_after_two_quotes_the_others_have_their_grace_and_are_then_abandoned(stage: Any) -> None:
    policy = POLICY.model_copy(update={"quote_grace_ms": 300})
    slow = Quoter("slow", quote_s=2)
    assert played(stage, slow, Quoter("alpha"), Quoter("beta", quote_s=0.5), policy=policy, act=timed) == (
        pytest.approx(0.9),
        "alpha",
    )
    (abandoned,) = events(stage.logs[0], CallAbandoned)
    assert (abandoned.provider, abandoned.operation, abandoned.reason) == ("slow", "quote", "cancelled")
    assert events(stage.logs[0], CallFailed) == []


def test_one_after_another_they_are_asked_where_that_is_wanted(stage: Any) -> None:
    policy = POLICY.model_copy(update={"parallel_queries": False})
    providers = [Quoter(name, quote_s=1) for name in ("alpha", "beta", "gamma")]
    assert played(stage, *providers, policy=policy, act=timed)[0] == pytest.approx(3.1)


def test_no_more_are_asked_than_may_be_and_the_others_are_named(stage: Any) -> None:
    providers = [Quoter(name) for name in ("alpha", "beta", "gamma", "delta")]
    played(stage, *providers, policy=Policy(strategy=Strategy.IN_ORDER, retry_attempts=0))
    assert [one.asked for one in providers] == [1, 1, 1, 0]
    assert verdicts(stage.logs[0])["delta"] == "not_asked"


@pytest.mark.parametrize("lie", ["0.6", "0.0519", "0.0481", "0.0001"])
def test_a_quote_off_the_reference_is_excluded_whichever_side_it_errs_on(stage: Any, lie: str) -> None:
    answer = played(stage, Quoter("alpha", "0.0500"), Quoter("liar", lie), Quoter("beta", "0.0501"))
    assert answer.provider == "beta"
    assert verdicts(stage.logs[0])["liar"] == "rate_outlier"


def test_two_that_contradict_each_other_are_both_refused_and_a_person_is_told(stage: Any) -> None:
    alpha, beta = Quoter("alpha", "0.0500"), Quoter("beta", "0.0550")
    with pytest.raises(NoHonestQuote) as told:
        played(stage, alpha, beta)
    assert "alpha: nothing_to_compare (rate 0.0500, pays out 0.1000)" in str(told.value)
    assert alpha.calls == beta.calls == []
    (alert,) = events(stage.logs[0], AlertRaised)
    assert (alert.alert, alert.subject) == ("no_honest_quote", "ETH/BTC")


def test_of_two_that_contradict_each_other_history_tells_the_honest_one(stage: Any) -> None:
    alpha, beta = Quoter("alpha", "0.0500"), Quoter("beta", "0.0501")

    async def act(engine: Engine) -> str:
        await convert(engine)
        beta.rate = "0.0550"
        return (await convert(engine)).provider

    assert played(stage, alpha, beta, act=act) == "alpha"
    assert verdicts(stage.logs[0])["beta"] == "rate_outlier"


def test_a_quote_alone_is_measured_by_history_as_long_as_that_is_fresh(stage: Any) -> None:
    alpha, beta = Quoter("alpha", "0.0500"), Quoter("beta", "0.0501")

    async def act(engine: Engine) -> None:
        await convert(engine)
        beta.rate = Transient("down")
        assert (await convert(engine)).provider == "alpha"
        alpha.rate = "0.0600"
        with pytest.raises(NoHonestQuote):
            await convert(engine)
        alpha.rate = "0.0505"
        await asyncio.sleep(1_801)
        with pytest.raises(NoHonestQuote, match="nothing_to_compare"):
            await convert(engine)

    played(stage, alpha, beta, act=act)


def test_the_only_provider_there_is_is_trusted(stage: Any) -> None:
    assert played(stage, Quoter("alpha")).provider == "alpha"


def test_a_stuck_quote_is_excluded_once_it_is_away_from_the_others(stage: Any) -> None:
    stuck, alpha, beta = Quoter("stuck", "0.0500"), Quoter("alpha", "0.0500"), Quoter("beta", "0.0500")

    async def act(engine: Engine) -> list[tuple[str, str]]:
        seen = []
        for minute in range(8):
            alpha.rate, beta.rate = f"0.0{500 - minute}", f"0.0{500 - minute}1"
            answer = await convert(engine)
            seen.append((answer.provider, verdicts(stage.logs[0])["stuck"]))
            await asyncio.sleep(60)
        return seen

    seen = played(stage, stuck, alpha, beta, act=act)
    assert [verdict for _, verdict in seen] == ["eligible"] * 3 + ["quote_stuck"] * 5
    assert {who for who, _ in seen[3:]} == {"beta"}


def test_a_crowd_that_is_lied_to_at_once_is_no_evidence_of_persistence(stage: Any) -> None:
    liar = Quoter("liar", "0.06")

    async def act(engine: Engine) -> None:
        await asyncio.gather(*(convert(engine) for _ in range(20)))
        assert engine.standing.quotes.offers["liar|ETH/BTC"].bad == 1
        assert engine.standing.quotes.quarantines == {}

    played(stage, liar, Quoter("alpha", "0.0500"), Quoter("beta", "0.0501"), act=act)


def test_who_is_persistently_off_goes_into_quarantine_and_comes_out_again(stage: Any) -> None:
    liar = Quoter("liar", "0.06")

    async def act(engine: Engine) -> None:
        for _ in range(7):
            await convert(engine)
            await asyncio.sleep(1)
        assert verdicts(stage.logs[0])["liar"] == "quarantined"
        assert liar.asked == 5
        liar.rate = "0.0502"
        await asyncio.sleep(1_801)
        assert (await convert(engine)).provider == "liar"

    played(stage, liar, Quoter("alpha", "0.0500"), Quoter("beta", "0.0501"), act=act)
    log = stage.logs[0]
    (put,) = events(log, QuarantineSet)
    assert (put.provider, put.pair, put.actor, len(put.evidence)) == ("liar", "ETH/BTC", "rules", 5)
    assert put.evidence[0] == "rate_outlier: quoted 0.06, reference 0.0501"
    assert [one.reason for one in events(log, QuarantineReleased)] == ["its time is over"]
    assert ("quarantine", "liar ETH/BTC") in {(one.alert, one.subject) for one in events(log, AlertRaised)}


def test_who_gives_no_quote_is_asked_once_and_the_request_refused_when_the_only_quote_is_not_to_be_trusted(
    stage: Any,
) -> None:
    lone, silent = Quoter("lone", "0.0500"), Quoter("silent", NotOffered("no trade"))
    with pytest.raises(NoHonestQuote, match="lone: nothing_to_compare"):
        played(stage, lone, silent)
    assert (lone.asked, silent.asked) == (1, 1)


def test_an_old_quote_is_asked_for_again(stage: Any) -> None:
    alpha = Quoter("alpha", lambda: Quote(rate=Decimal("0.05"), expires_at_us=stage_us() + 200_000))
    beta = Quoter("beta", "0.0501", call_s=1, acts=[Transient("no")])

    def stage_us() -> int:
        return int(engine_of[0]._system.now_us())

    engine_of: list[Engine] = []

    async def act(engine: Engine) -> str:
        engine_of.append(engine)
        return (await convert(engine)).provider

    assert played(stage, alpha, beta, act=act) == "alpha"
    assert alpha.asked == 2


def test_tiers_come_first_and_the_next_one_only_witnesses(stage: Any) -> None:
    first, second = Quoter("first", "0.0500"), Quoter("second", "0.0505", priority=2)
    last = Quoter("last", "0.0505", priority=4)
    assert played(stage, first, second, last).provider == "first"
    assert (second.asked, last.asked) == (1, 0)


def test_the_emergency_tier_is_asked_when_nobody_else_can_and_bounded(stage: Any) -> None:
    policy = POLICY.model_copy(update={"max_emergency_amount": {"ETH": Decimal(5)}, "trust_lone_quote": True})
    first, last = Quoter("first", Transient("down")), Quoter("last", "0.05", priority=4)

    async def act(engine: Engine) -> str:
        answer = await convert(engine)
        with pytest.raises(Exception, match="last: emergency_amount"):
            await convert(engine, "5.1")
        return answer.provider

    assert played(stage, first, last, policy=policy, act=act) == "last"


def test_a_failed_conversion_goes_to_the_next_best_quote_of_the_same_round(stage: Any) -> None:
    alpha, beta = Quoter("alpha", "0.0501", acts=[Transient("no")]), Quoter("beta", "0.0500")
    answer = played(stage, alpha, beta)
    assert (answer.provider, answer.failovers) == ("beta", 1)
    assert (alpha.asked, beta.asked) == (1, 1)


def test_quotes_that_fail_open_a_circuit_of_their_own_and_hooks_hear_of_it(stage: Any) -> None:
    alpha, down = Quoter("alpha"), Quoter("down", Transient("down"))
    heard: list[tuple[str, int]] = []

    async def act(engine: Engine) -> None:
        engine.on("service:failure", lambda _, service_id, failures, **__: heard.append((service_id, failures)))
        for _ in range(4):
            await convert(engine)
        assert {one.provider: one.status.value for one in engine.health()}["down"] == "unavailable"

    played(stage, alpha, down, policy=POLICY.model_copy(update={"trust_lone_quote": True}), act=act)
    assert down.asked == 3
    assert verdicts(stage.logs[0])["down"] == "quotes_fail"
    assert heard == [("down", 1), ("down", 2), ("down", 3)]


def test_in_two_parts_what_is_created_is_then_committed_and_only_that_moves(stage: Any) -> None:
    alpha = Quoter("alpha")
    alpha.two_part = True  # type: ignore[attr-defined]
    answer = played(stage, alpha)
    assert [operation for operation, _ in alpha.calls] == ["create", "commit"]
    assert alpha.calls[1][1].created.value == {"reservation": "r-alpha"}  # type: ignore[union-attr]
    assert (answer.reference, answer.attempts, answer.failovers) == ("tx-alpha", 2, 0)
    create, commit = [call for call in events(stage.logs[0], CallStarted) if call.operation != "quote"]
    assert (create.amount_due, commit.amount_due) == (None, Decimal("0.10"))
    assert create.key != commit.key


def test_a_create_that_hangs_is_nobodys_doubt_and_the_next_service_is_asked(stage: Any) -> None:
    alpha, beta = Quoter("alpha", "0.0501", acts=[TimedOut("hangs")]), Quoter("beta", "0.0500")
    alpha.two_part = True  # type: ignore[attr-defined]
    answer = played(stage, alpha, beta)
    assert (answer.provider, answer.failovers) == ("beta", 1)


def test_a_commit_in_doubt_is_looked_up_before_anybody_else_is_asked(stage: Any) -> None:
    alpha, beta = Findable("alpha", "0.0501"), Quoter("beta", "0.0500")
    alpha.two_part = True  # type: ignore[attr-defined]
    alpha.acts = [lambda: None, Ambiguous("reset")]
    answer = played(stage, alpha, beta)
    assert (answer.provider, answer.failovers) == ("beta", 1)
    assert [call.operation for call in events(stage.logs[0], CallStarted)] == [
        "quote",
        "quote",
        "create",
        "commit",
        "lookup",
        "convert",
    ]


def test_a_commit_that_nobody_can_decide_is_held(stage: Any) -> None:
    alpha, beta = Quoter("alpha", "0.0501"), Quoter("beta", "0.0500")
    alpha.two_part = True  # type: ignore[attr-defined]
    alpha.acts = [lambda: None, Ambiguous("reset")]
    with pytest.raises(OutcomeUnknown):
        played(stage, alpha, beta)
    assert beta.calls == []


def test_a_late_success_after_a_failover_is_an_alert_with_both_references(stage: Any) -> None:
    alpha, beta = Findable("alpha", "0.0501", acts=[Ambiguous("reset")]), Quoter("beta", "0.0500")

    async def act(engine: Engine) -> str:
        answer = await convert(engine)
        alpha.findings = [Found(finding=Finding.SUCCEEDED, reference="tx-late")]
        await asyncio.sleep(120)
        return answer.request_id

    request_id = played(stage, alpha, beta, act=act)
    (alert,) = events(stage.logs[0], AlertRaised)
    assert (alert.alert, alert.subject) == ("late_success", request_id)
    assert "tx-late" in alert.message
    assert "tx-beta" in alert.message


def test_late_successes_at_two_services_are_two_alerts(stage: Any) -> None:
    alpha = Findable("alpha", "0.0502", acts=[Ambiguous("reset")])
    beta = Findable("beta", "0.0501", acts=[Ambiguous("reset")])

    async def act(engine: Engine) -> None:
        assert (await convert(engine)).provider == "gamma"
        beta.findings = [Found(finding=Finding.SUCCEEDED, reference="tx-b")]
        alpha.findings = [Found(finding=Finding.ABSENT), Found(finding=Finding.SUCCEEDED, reference="tx-a")]
        await asyncio.sleep(10_000)
        assert engine.standing.leftovers.watched == {}

    played(stage, alpha, beta, Quoter("gamma", "0.0500"), act=act)
    first, second = events(stage.logs[0], AlertRaised)
    assert ("tx-b" in first.message, "tx-a" in second.message) == (True, True)
    assert (first.alert, second.alert) == ("late_success", "late_success")


def test_what_was_paid_out_short_of_the_quote_counts_against_the_next_one(stage: Any) -> None:
    fades, honest = Quoter("fades", "0.0501", pays=Decimal("0.0990")), Quoter("honest", "0.0500")

    async def act(engine: Engine) -> list[str]:
        return [(await convert(engine)).provider for _ in range(2)]

    assert played(stage, fades, honest, act=act) == ["fades", "honest"]
    assert events(stage.logs[0], DecisionMade)[-1].candidates[0].quote.fade_ppm == 11_976


def test_a_caller_who_goes_away_leaves_no_quote_open(stage: Any) -> None:
    alpha, beta = Quoter("alpha", quote_s=3), Quoter("beta", quote_s=3)

    async def act(engine: Engine) -> None:
        task = asyncio.create_task(convert(engine))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(10)
        assert engine.unsettled == ()

    played(stage, alpha, beta, act=act)


def test_an_engine_that_stops_gives_up_quotes(stage: Any) -> None:
    alpha = Quoter("alpha", quote_s=30)
    policy = POLICY.model_copy(update={"request_timeout_ms": 60_000})

    async def act(engine: Engine) -> None:
        task = asyncio.create_task(convert(engine))
        await asyncio.sleep(1)
        await engine.stop(grace_ms=0)
        with pytest.raises(EngineClosed):
            await task

    played(stage, alpha, policy=policy, act=act)
    (abandoned,) = events(stage.logs[0], CallAbandoned)
    assert abandoned.operation == "quote"


def test_a_repeated_key_gets_the_first_answer_with_its_quote(stage: Any) -> None:
    alpha = Quoter("alpha")

    async def act(engine: Engine) -> tuple[Answer, Answer]:
        first = await convert(engine, idempotency_key="k")
        return first, await convert(engine, idempotency_key="k")

    first, again = played(stage, alpha, act=act)
    assert again.joined
    assert (again.quote, again.amount_out, again.reference) == (first.quote, first.amount_out, first.reference)
    assert len(alpha.calls) == 1


@pytest.mark.parametrize(
    ("context", "amount", "told"),
    [
        ({}, "1", "what is sold and what is bought"),
        ({"pair": "ETHBTC"}, "1", "what is sold and what is bought"),
        (ETH_BTC, None, "needs an amount above 0"),
        (ETH_BTC, "-1", "needs an amount above 0"),
    ],
)
def test_what_nobody_could_quote_is_refused(stage: Any, context: dict[str, str], amount: str | None, told: str) -> None:
    async def act(engine: Engine) -> None:
        with pytest.raises(InvalidRequest, match=told):
            await engine.call("convert", context=context, amount=amount)

    played(stage, Quoter("alpha"), act=act)


FLOAT: Any = 0.05


@pytest.mark.parametrize("rate", [Quote(rate=Decimal("NaN")), Quote(rate=Decimal(0)), Quote(rate=FLOAT), "nonsense"])
def test_a_quote_that_is_none_is_an_invalid_reply(stage: Any, rate: Any) -> None:
    bad = Quoter("bad", (lambda: rate) if isinstance(rate, Quote) else (lambda: {"text": rate}))
    assert played(stage, bad, Quoter("alpha"), policy=POLICY.model_copy(update={"trust_lone_quote": True}))
    assert [one.outcome for one in events(stage.logs[0], CallFailed)] == ["invalid_reply"]


def test_quotes_are_on_record_with_their_calls(stage: Any) -> None:
    played(stage, Quoter("alpha"), Quoter("beta", quote_s=0.2))
    quotes = [one for one in events(stage.logs[0], CallSucceeded) if one.operation == "quote"]
    assert [(one.provider, one.pair, one.quote) for one in quotes] == [
        ("alpha", "ETH/BTC", Quote(rate=Decimal("0.05"))),
        ("beta", "ETH/BTC", Quote(rate=Decimal("0.05"))),
    ]


def test_quotes_can_be_looked_at_without_converting(stage: Any) -> None:
    alpha, liar = Quoter("alpha", "0.0500"), Quoter("liar", "0.07")
    down = Quoter("down", Transient("out of order"), priority=2)
    beta = Quoter("beta", "0.0501")

    async def act(engine: Engine) -> Any:
        return await engine.quotes("convert", context=ETH_BTC, amount=2)

    found = {one.provider: one for one in played(stage, alpha, liar, beta, down, act=act)}
    assert {name: one.verdict for name, one in found.items()} == {
        "alpha": "eligible",
        "liar": "rate_outlier",
        "beta": "eligible",
        "down": "no_quote",
    }
    assert (found["beta"].net, found["down"].message) == (Decimal("0.1002"), "out of order")
    assert alpha.calls == beta.calls == []
    assert events(stage.logs[0], DecisionMade) == []


def test_where_nobody_gives_a_quote_none_is_said_not_to_be_trusted(stage: Any) -> None:
    with pytest.raises(RequestError) as told:
        played(stage, Quoter("alpha", Transient("down")), Quoter("beta", Transient("down")))
    assert not isinstance(told.value, NoHonestQuote)
    assert events(stage.logs[0], AlertRaised) == []


def test_an_operator_takes_a_provider_out_of_quarantine(stage: Any) -> None:
    liar = Quoter("liar", "0.06")

    async def act(engine: Engine) -> None:
        for _ in range(5):
            await convert(engine)
            await asyncio.sleep(1)
        with pytest.raises(InvalidRequest, match="'liar' is not in quarantine for 'ETH/USD'; it is for ETH/BTC"):
            engine.release("liar", "ETH/USD", actor="ann", reason="fixed")
        with pytest.raises(InvalidRequest, match="the engine's own rules go by"):
            engine.release("liar", "ETH/BTC", actor="rules", reason="fixed")
        engine.release("liar", "ETH/BTC", actor="ann", reason="fixed")
        liar.rate = "0.0502"
        assert (await convert(engine)).provider == "liar"
        assert engine.standing.alerts == {}
        assert engine.standing.totals.served == {"beta": 5, "liar": 1}

    played(stage, liar, Quoter("alpha", "0.0500"), Quoter("beta", "0.0501"), act=act)
    (released,) = events(stage.logs[0], QuarantineReleased)
    assert (released.actor, released.reason) == ("ann", "fixed")


def test_who_gives_no_quote_is_asked_once_for_each_request(stage: Any) -> None:
    down, second = Quoter("down", Transient("down")), Quoter("second", priority=2)
    policy = POLICY.model_copy(update={"trust_lone_quote": True, "max_parallel_requests": 1})

    async def act(engine: Engine) -> list[tuple[str, int]]:
        return [((await convert(engine)).provider, down.asked) for _ in range(5)]

    assert played(stage, down, second, policy=policy, act=act) == [
        ("second", 1),
        ("second", 2),
        ("second", 3),  # Three failed requests, and its circuit is open.
        ("second", 3),
        ("second", 3),
    ]


def test_a_late_success_of_a_request_that_was_given_up_is_an_alert_too(stage: Any) -> None:
    alpha = Findable("alpha", acts=[Ambiguous("reset")])

    async def act(engine: Engine) -> None:
        with pytest.raises(AllProvidersFailed):
            await convert(engine)
        alpha.findings = [Found(finding=Finding.ABSENT), Found(finding=Finding.SUCCEEDED, reference="tx-late")]
        await asyncio.sleep(601)

    played(stage, alpha, act=act)
    (alert,) = events(stage.logs[0], AlertRaised)
    assert "reference tx-late), and its caller was told that it had failed" in alert.message


@pytest.mark.parametrize("found", [[Finding.ABSENT] * 3, [Finding.FAILED]])
def test_an_absence_is_believed_for_good_in_the_end(stage: Any, found: list[Finding]) -> None:
    alpha = Findable("alpha", "0.0501", acts=[Ambiguous("reset")])

    async def act(engine: Engine) -> None:
        await convert(engine)
        asked = len(lookups(stage))
        alpha.findings = [Found(finding=one) for one in found]
        await asyncio.sleep(10_000)
        assert len(lookups(stage)) == asked + len(found)
        assert engine.standing.leftovers.watched == {}
        assert engine.standing.alerts == {}

    played(stage, alpha, Quoter("beta", "0.0500"), act=act)


def lookups(stage: Any) -> list[CallStarted]:
    return [one for one in events(stage.logs[0], CallStarted) if one.operation == "lookup"]


def test_what_is_watched_is_looked_up_after_a_restart_too(stage: Any) -> None:
    alpha, beta = Findable("alpha", "0.0501", acts=[Ambiguous("reset")]), Quoter("beta", "0.0500")
    log = MemoryLog()
    played(stage, alpha, beta, log=log)
    alpha.findings = [Transient("busy"), Found(finding=Finding.SUCCEEDED, reference="tx-late")]

    async def wait(_: Engine) -> None:
        await asyncio.sleep(4_000)

    played(stage, alpha, beta, log=log, act=wait)
    assert [one.alert for one in events(log, AlertRaised)] == ["late_success"]


def test_who_is_no_longer_there_is_not_looked_up(stage: Any) -> None:
    alpha, beta = Findable("alpha", "0.0501", acts=[Ambiguous("reset")]), Quoter("beta", "0.0500")
    log = MemoryLog()
    played(stage, alpha, beta, log=log)

    async def wait(engine: Engine) -> None:
        await asyncio.sleep(4_000)
        assert engine.standing.leftovers.watched.keys() != set()

    played(stage, beta, log=log, act=wait)
    assert len(lookups(stage)) == 1


def test_who_could_not_be_asked_waits_for_a_ping_and_then_for_one_probe(stage: Any) -> None:
    policy = POLICY.model_copy(update={"trust_lone_quote": True, "max_failures": 1, "recovery_time_ms": 1_000})
    alpha, down = Quoter("alpha"), Quoter("down", Transient("down"), quote_s=0.5)

    async def act(engine: Engine) -> list[str]:
        await convert(engine)
        await asyncio.sleep(2)
        down.rate = "0.0501"
        first, second = await asyncio.gather(convert(engine), convert(engine))
        return sorted([first.provider, second.provider])

    assert played(stage, alpha, down, policy=policy, act=act) == ["alpha", "down"]
    assert down.asked == 2


@pytest.mark.parametrize(
    ("quote", "verdict"),
    [
        (Quote(rate=Decimal("0.05"), min_amount=Decimal(3)), "amount_below_minimum"),
        (Quote(rate=Decimal("0.05"), max_amount=Decimal(1)), "amount_above_maximum"),
        (Quote(rate=Decimal("0.05"), amount_out=Decimal("0.0499")), "fees_too_high"),
    ],
)
def test_limits_and_fees_keep_a_true_rate_from_being_taken(stage: Any, quote: Quote, verdict: str) -> None:
    alpha, beta = Quoter("alpha", quote), Quoter("beta", "0.0499")
    assert played(stage, alpha, beta).provider == "beta"
    assert verdicts(stage.logs[0])["alpha"] == verdict
    assert events(stage.logs[0], DecisionMade)[-1].consensus.agreed == Decimal("0.04995")


def test_fees_that_eat_the_amount_up_leave_nobody(stage: Any) -> None:
    dear = ProviderSettings(id="dear", fees=Fees(withdrawal={"BTC": Decimal(1)}))
    with pytest.raises(NoProviderAvailable, match="dear: fees_exceed_amount"):
        played(stage, Quoter("dear", settings=dear))


TEXT: Any = "soon"
NUMBER: Any = 7


@pytest.mark.parametrize(
    "quote",
    [
        Quote(rate=Decimal("0.05"), amount_out=Decimal(-1)),
        Quote(rate=Decimal("0.05"), min_amount=Decimal(-1)),
        Quote(rate=Decimal("0.05"), expires_at_us=TEXT),
        Quote(rate=Decimal("1e50")),
    ],
)
def test_a_quote_with_nonsense_in_it_is_an_invalid_reply(stage: Any, quote: Quote) -> None:
    played(stage, Quoter("bad", quote), Quoter("alpha"), policy=POLICY.model_copy(update={"trust_lone_quote": True}))
    assert [one.outcome for one in events(stage.logs[0], CallFailed)] == ["invalid_reply"]


def test_a_reference_that_is_no_text_becomes_one(stage: Any) -> None:
    answer = played(stage, Quoter("alpha", Quote(rate=Decimal("0.05"), reference=NUMBER)))
    assert answer.quote.reference == "7"


def test_where_nobody_can_quote_that_is_said_at_once(stage: Any) -> None:
    async def act(engine: Engine) -> None:
        with pytest.raises(InvalidRequest, match="none of the providers has `quote`"):
            await convert(engine)
        with pytest.raises(InvalidRequest, match="pay is not declared as quoted"):
            await engine.quotes("pay", context=ETH_BTC, amount=1)

    async def play() -> None:
        engine = stage.engine(Told("alpha"), operations=(CONVERT, Operation(name="pay")))
        async with engine:
            await act(engine)

    stage.play(play)


def throttled_once(*, for_ms: int) -> Callable[[], Quote]:
    answers: list[Quote | RateLimited] = [RateLimited("slow down", retry_after_ms=for_ms)]

    def rate() -> Quote:
        answer = answers.pop() if answers else Quote(rate=Decimal("0.05"))
        if isinstance(answer, RateLimited):
            raise answer
        return answer

    return rate


@pytest.mark.parametrize("rate", [NotOffered("no such pair"), Quote(rate=Decimal("0.05"), expires_at_us=1)])
def test_who_has_no_quote_that_can_be_used_is_asked_once_however_fast_it_answers(stage: Any, rate: Any) -> None:
    nobody = [Quoter(name, rate, quote_s=0) for name in ("alpha", "beta")]
    with pytest.raises(NoProviderAvailable):
        played(stage, *nobody)
    assert [one.asked for one in nobody] == [1, 1]


def test_rounds_end_though_every_quote_is_old_before_it_can_be_taken(stage: Any) -> None:
    at_once = POLICY.model_copy(update={"quote_max_age_ms": 1})
    alpha, beta = Quoter("alpha", quote_s=0), Quoter("beta", quote_s=0.01)
    with pytest.raises(RequestError):
        played(stage, alpha, beta, Quoter("slow", quote_s=0.02), policy=at_once)
    assert len(events(stage.logs[0], QuotesRequested)) == 6  # One for each provider, and three more.


def test_a_tier_that_hangs_costs_one_round_and_not_its_circuits(stage: Any) -> None:
    hung = [Quoter(name, quote_s=60) for name in ("alpha", "beta")]
    answer = played(stage, *hung, Quoter("gamma", priority=2), Quoter("delta", priority=2), act=timed)
    assert answer == (pytest.approx(5.2), "delta")
    assert [one.asked for one in hung] == [1, 1]


def test_the_only_one_who_asks_for_patience_is_asked_again_when_its_time_has_come(stage: Any) -> None:
    assert played(stage, Quoter("alpha", throttled_once(for_ms=500)), act=timed) == (pytest.approx(0.8), "alpha")


def test_who_could_not_be_compared_is_asked_anew_beside_whom_was_waited_for(stage: Any) -> None:
    alpha, beta = Quoter("alpha"), Quoter("beta", throttled_once(for_ms=16_000))
    assert played(stage, alpha, beta, act=timed)[0] == pytest.approx(16.3)
    assert verdicts(stage.logs[0]) == {"alpha": "eligible", "beta": "eligible"}


def test_more_than_the_rate_can_make_of_the_amount_is_believed_of_nobody(stage: Any) -> None:
    liar = Quoter("liar", Quote(rate=Decimal("0.05"), amount_out=Decimal(10)))
    assert played(stage, liar, Quoter("alpha", "0.0501"), Quoter("beta")).provider == "alpha"
    assert verdicts(stage.logs[0])["liar"] == "rate_outlier"


def test_the_preferred_one_is_asked_for_a_quote_whatever_its_tier(stage: Any) -> None:
    others = [Quoter(name) for name in ("alpha", "beta", "gamma")]
    preferred = Quoter("preferred", priority=2)
    answer = played(stage, *others, preferred, act=partial(convert, preferred="preferred"))
    assert answer.provider == "preferred"
    assert sum(one.asked for one in others) == 2


def test_asking_for_quotes_up_to_a_limit_does_not_send_conversions_to_the_emergency_tier(stage: Any) -> None:
    once = [ProviderSettings(id=name, max_calls_per_second=Decimal(1), burst=1) for name in ("alpha", "beta")]
    alpha, beta = [Quoter(one.id, settings=one) for one in once]
    dex = Quoter("dex", priority=4)
    assert played(stage, alpha, beta, dex, act=timed)[0] == pytest.approx(1.1)
    assert dex.asked == 0


def test_the_emergency_tier_is_asked_where_the_others_limits_end_too_late(stage: Any) -> None:
    slow = ProviderSettings(id="slow", max_calls_per_second=Decimal("0.01"), burst=1)
    dex = Quoter("dex", priority=4)
    policy = POLICY.model_copy(update={"trust_lone_quote": True})
    assert played(stage, Quoter("slow", settings=slow), dex, policy=policy).provider == "dex"


def test_nobody_waits_in_line_behind_a_smaller_one_that_fewer_can_serve(stage: Any) -> None:
    large_only = Quote(rate=Decimal("0.05"), min_amount=Decimal(5))
    providers = Quoter("alpha", throttled_once(for_ms=16_000)), Quoter("beta", large_only), Quoter("gamma", large_only)

    async def act(engine: Engine) -> tuple[float, float]:
        began_s = asyncio.get_running_loop().time()
        small = asyncio.create_task(convert(engine, "1"))
        await asyncio.sleep(1)
        await convert(engine, "10")
        large_s = asyncio.get_running_loop().time() - began_s
        await small
        return large_s, asyncio.get_running_loop().time() - began_s

    assert played(stage, *providers, act=act) == (pytest.approx(1.2), pytest.approx(16.3))


@pytest.mark.parametrize("paid", ["9E+999999", "-9E+999999"])
def test_whatever_a_provider_says_to_have_paid_out_the_log_can_be_folded(stage: Any, paid: str) -> None:
    alpha, log = Quoter("alpha", pays=Decimal(paid)), MemoryLog()
    assert played(stage, alpha, log=log).provider == "alpha"
    assert played(stage, alpha, log=log).provider == "alpha"


@pytest.mark.parametrize("reference", ["\ud800", "x" * 501])
def test_an_offer_whose_id_cannot_be_kept_is_no_quote(stage: Any, reference: str) -> None:
    odd = Quoter("odd", Quote(rate=Decimal("0.0501"), reference=reference))
    assert played(stage, odd, Quoter("alpha"), Quoter("beta")).provider == "alpha"
    assert verdicts(stage.logs[0])["odd"] == "no_quote"


def test_a_quote_says_nothing_of_an_account_that_is_out(stage: Any) -> None:
    alpha = Quoter("alpha", "0.0501", quote_s=1, acts=[Misconfigured("no key")])
    gate = Quoter("beta", quote_s=1)

    async def act(engine: Engine) -> None:
        first = asyncio.create_task(convert(engine))
        await asyncio.sleep(0.5)
        second = asyncio.create_task(convert(engine))  # Its quotes come after the first one has been turned away.
        await asyncio.gather(first, second)
        assert engine.standing.alerts.keys() == {"misconfigured|alpha"}

    played(stage, alpha, gate, act=act)
    assert len(alpha.calls) == 1


def test_the_emergency_tier_is_asked_where_the_others_have_asked_for_patience(stage: Any) -> None:
    alpha, dex = Quoter("alpha", throttled_once(for_ms=16_000)), Quoter("dex", priority=4)
    policy = POLICY.model_copy(update={"trust_lone_quote": True})
    assert played(stage, alpha, dex, policy=policy, act=timed) == (pytest.approx(0.3), "dex")


def limited(name: str, rate: str, **more: Any) -> Quoter:
    """A service that we may call once in ten seconds, three times at once."""
    settings = ProviderSettings(id=name, max_calls_per_second=Decimal("0.1"), **more)
    return Quoter(name, rate, settings=settings)


def test_a_service_at_its_rate_limit_is_passed_over_with_the_time_at_which_it_ends(stage: Any) -> None:
    async def act(engine: Engine) -> list[str]:
        return [(await convert(engine)).provider for _ in range(3)]

    others = Quoter("beta", "0.0500"), Quoter("gamma", "0.0499")
    assert played(stage, limited("alpha", "0.0501"), *others, act=act) == ["alpha", "beta", "beta"]
    passed_over = events(stage.logs[0], DecisionMade)[-1].candidates[0]
    assert passed_over.verdict == "rate_limit"
    assert passed_over.until_us is not None


def test_the_only_service_there_is_is_waited_for_at_its_rate_limit(stage: Any) -> None:
    async def act(engine: Engine) -> float:
        await convert(engine)
        return (await timed(engine))[0]

    assert 9 < played(stage, limited("alpha", "0.0501"), act=act) < 21


@pytest.mark.parametrize("priority", [1, 2])
def test_the_preferred_service_is_asked_and_taken_whatever_its_rate_and_tier(stage: Any, priority: int) -> None:
    others = [Quoter(name, "0.0502") for name in ("alpha", "beta", "gamma")]
    favourite = Quoter("favourite", "0.0500", priority=priority)

    async def act(engine: Engine) -> Answer:
        return await convert(engine, preferred="favourite")

    assert played(stage, *others, favourite, act=act).provider == "favourite"
    assert sum(one.asked for one in others) == 2
    decision = events(stage.logs[0], DecisionMade)[-1]
    assert (decision.pinned, decision.consensus.reference) == (True, Decimal("0.0502"))


def test_a_preferred_service_that_lies_is_not_taken(stage: Any) -> None:
    policy = POLICY.model_copy(update={"preferred_provider": "favourite"})
    others = [Quoter("alpha", "0.0500"), Quoter("beta", "0.0501")]
    assert played(stage, *others, Quoter("favourite", "0.06"), policy=policy).provider == "beta"


def test_no_more_calls_are_under_way_than_may_be_quotes_included(stage: Any) -> None:
    busy = Quoter("busy", settings=ProviderSettings(id="busy", max_in_flight=2))
    under_way = most = 0

    async def act(engine: Engine) -> list[Answer]:
        nonlocal under_way, most
        asked, called = busy.quote, busy.call

        def counted(function: Any) -> Any:
            async def count(*args: Any, **more: Any) -> Any:
                nonlocal under_way, most
                under_way, most = under_way + 1, max(most, under_way + 1)
                try:
                    return await function(*args, **more)
                finally:
                    under_way -= 1

            return count

        busy.quote, busy.call = counted(asked), counted(called)  # type: ignore[method-assign]
        return await asyncio.gather(*(convert(engine) for _ in range(20)))

    assert len(played(stage, busy, act=act)) == 20
    assert most == 2
