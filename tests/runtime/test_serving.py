"""What a caller of the engine gets, seen from outside."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from providers_for_tests import Pingable, Searchable, Told, never

from understudy.engine import (
    AllProvidersFailed,
    Ambiguous,
    DeadlineExceeded,
    Finding,
    Found,
    InvalidRequest,
    KeyConflict,
    NoProviderAvailable,
    Operation,
    OutcomeUnknown,
    Policy,
    ProviderError,
    ProviderSettings,
    RateLimited,
    Rejected,
    Reply,
    RequestRejected,
    Strategy,
    Transient,
)

IN_ORDER = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0)


def test_the_answer_names_who_served_and_what_was_replied(stage: Any) -> None:
    async def act() -> None:
        async with stage.engine(Told("alpha", default=Reply(value={"number": "+1"}, reference="r-1"))) as engine:
            answer = await engine.call("rent_number", context={"country": "us"}, effect="once")
        assert (answer.provider, answer.reply, answer.reference) == ("alpha", {"number": "+1"}, "r-1")
        assert (answer.failovers, answer.attempts, answer.via, answer.joined) == (0, 1, "call", False)

    stage.play(act)


def test_a_failed_provider_is_followed_by_the_next(stage: Any) -> None:
    async def act() -> None:
        async with stage.engine(Told("a", [Transient("no")]), Told("b"), policy=IN_ORDER) as engine:
            answer = await engine.call("x")
            assert (answer.provider, answer.failovers, answer.attempts) == ("b", 1, 2)

    stage.play(act)


@pytest.mark.parametrize(
    ("effect", "error"), [("read", None), ("idempotent", OutcomeUnknown), ("once", OutcomeUnknown)]
)
def test_a_foreign_exception_is_transient_for_reads_and_ambiguous_for_writes(
    stage: Any, effect: str, error: type[Exception] | None
) -> None:
    async def act() -> None:
        async with stage.engine(Told("a", [KeyError("oops")]), Told("b"), policy=IN_ORDER) as engine:
            if error is None:
                assert (await engine.call("x", effect=effect)).provider == "b"
            else:
                with pytest.raises(error):
                    await engine.call("x", effect=effect)
        with stage.logs[-1].reader() as reader:
            failed = next(row for row in reader.rows() if row.kind == "call_failed.v1")
        assert '"error_type":"KeyError"' in failed.payload

    stage.play(act)


@pytest.mark.parametrize("raised", [ProviderError("of no kind"), asyncio.CancelledError()])
def test_whatever_a_provider_raises_is_put_on_record_and_failed_over(stage: Any, raised: BaseException) -> None:
    async def act() -> None:
        async with stage.engine(Told("a", [raised]), Told("b"), policy=IN_ORDER) as engine:
            assert (await engine.call("x")).provider == "b"
            assert engine.unsettled == ()

    stage.play(act)


def test_a_provider_that_hangs_is_left_at_its_limit(stage: Any) -> None:
    async def act() -> None:
        policy = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0, request_timeout_ms=700)
        async with stage.engine(Told("a", [never()]), Told("b"), policy=policy) as engine:
            before = asyncio.get_running_loop().time()
            assert (await engine.call("x")).provider == "b"
            assert asyncio.get_running_loop().time() - before == pytest.approx(0.7)
        with stage.logs[-1].reader() as reader:
            failed = next(row for row in reader.rows() if row.kind == "call_failed.v1")
        assert (failed.outcome, failed.latency_us) == ("timed_out", 700_000)

    stage.play(act)


def test_retries_never_stretch_the_deadline(stage: Any) -> None:
    async def act() -> None:
        policy = Policy(strategy=Strategy.IN_ORDER, retry_attempts=20, retry_budget_min=100, max_failures=100)
        async with stage.engine(Told("a", default=Transient("no"), delay_s=0.3), policy=policy) as engine:
            before = asyncio.get_running_loop().time()
            with pytest.raises((AllProvidersFailed, DeadlineExceeded)):
                await engine.call("x", deadline_ms=2_000)
            assert asyncio.get_running_loop().time() - before <= 2.0

    stage.play(act)


def test_a_rejected_request_is_asked_of_nobody_else(stage: Any) -> None:
    async def act() -> None:
        other = Told("b")
        async with stage.engine(Told("a", [Rejected("bad country")]), other, policy=IN_ORDER) as engine:
            with pytest.raises(RequestRejected, match="bad country"):
                await engine.call("x")
        assert other.calls == []

    stage.play(act)


def test_a_throttled_only_provider_is_waited_for_as_long_as_it_asked(stage: Any) -> None:
    async def act() -> None:
        async with stage.engine(Told("a", [RateLimited("slow down", retry_after_ms=3_000)])) as engine:
            before = asyncio.get_running_loop().time()
            assert (await engine.call("x")).provider == "a"
            assert asyncio.get_running_loop().time() - before == pytest.approx(3.0)

    stage.play(act)


def test_without_anybody_eligible_the_error_tells_when_the_first_veto_ends(stage: Any) -> None:
    async def act() -> None:
        policy = Policy(strategy=Strategy.IN_ORDER, max_failures=1, retry_attempts=0, recovery_time_ms=60_000)
        full = Told("b", delay_s=50, settings=ProviderSettings(id="b", max_in_flight=1))
        async with stage.engine(Told("a", [Transient("no")]), full, policy=policy, watch=False) as engine:
            call = asyncio.create_task(engine.call("x"))
            await asyncio.sleep(1)
            with pytest.raises(NoProviderAvailable, match=r"a: circuit_open; b: max_in_flight") as caught:
                await engine.call("x", deadline_ms=50)
            assert caught.value.until_us == 1_767_225_660_000_000
            call.cancel()
            engine.override("a", "open", actor="ann", reason="invoice unpaid")
            with pytest.raises(NoProviderAvailable) as caught:
                await engine.call("x", deadline_ms=50)
            assert caught.value.until_us is None

    stage.play(act)


def test_without_anybody_eligible_the_error_names_every_veto(stage: Any) -> None:
    async def act() -> None:
        async with stage.engine(Told("a"), Told("b")) as engine:
            engine.override("a", "open", actor="ann", reason="invoice unpaid")
            engine.override("b", "drain", actor="ann", reason="maintenance")
            with pytest.raises(NoProviderAvailable) as caught:
                await engine.call("x")
            assert caught.value.vetoes == {"a": "forced_open", "b": "drained"}
            with pytest.raises(InvalidRequest, match="state"):
                engine.override("b", "opn", actor="ann", reason="x")
            with pytest.raises(InvalidRequest, match="for_ms"):
                engine.override("b", "open", actor="ann", reason="x", for_ms=-5)
            with pytest.raises(InvalidRequest, match="actor"):
                engine.clear_override("b", actor="", reason="x")
            engine.clear_override("b", actor="ann", reason="done")
            assert (await engine.call("x")).provider == "b"

    stage.play(act)


def test_a_once_call_reaches_its_provider_only_after_its_intent_is_in_the_file(stage: Any) -> None:
    async def act() -> None:
        log = stage.file()
        seen: list[list[str]] = []

        def look() -> str:
            with log.reader() as reader:
                seen.append([row.kind for row in reader.rows()])
            return "done"

        async with stage.engine(Told("a", default=look), log=log) as engine:
            await engine.call("x", effect="once")
            assert seen[0][-1] == "call_started.v1"
            with log.reader() as reader:
                assert [row.kind for row in reader.rows()][-1] == "request_completed.v1"

    stage.play(act)


def test_repeats_of_a_key_join_the_first_while_it_runs_and_after_a_restart(stage: Any) -> None:
    async def act() -> None:
        alpha = Told("alpha", delay_s=1.0, default={"number": "+49 30 1234"})
        operation = Operation(name="rent", effect="once", sensitive=frozenset({"number"}))  # type: ignore[arg-type]
        async with stage.engine(alpha, log=stage.file(), operations=(operation,)) as engine:
            first, second = await asyncio.gather(*(engine.call("rent", idempotency_key="k") for _ in range(2)))
            assert first.request_id == second.request_id
            with pytest.raises(KeyConflict, match="'k'"):
                await engine.call("rent", idempotency_key="k", body={"other": 1})
            other = await engine.call("rent", idempotency_key="k", principal="somebody else")
            assert other.request_id != first.request_id
        async with stage.engine(alpha, log=stage.file(), operations=(operation,)) as engine:
            third = await engine.call("rent", idempotency_key="k")
        assert (third.request_id, third.reply, third.joined) == (first.request_id, {"number": "+49 30 1234"}, True)
        assert len(alpha.calls) == 2

    stage.play(act)


def test_a_repeat_of_a_failed_request_fails_alike(stage: Any) -> None:
    async def act() -> None:
        async with stage.engine(Told("a", [Rejected("bad")]), policy=IN_ORDER) as engine:
            for _ in range(2):
                with pytest.raises(RequestRejected):
                    await engine.call("x", idempotency_key="k", effect="once")

    stage.play(act)


def test_sensitive_values_are_nowhere_in_the_events(stage: Any, tmp_path: Path) -> None:
    async def act() -> None:
        told = [Transient("number +4917012345 is busy"), {"code": "987654", "state": "ok"}]
        operation = Operation(name="rent", sensitive=frozenset({"number", "code"}))
        async with stage.engine(Told("a", told), log=stage.file(), operations=(operation,)) as engine:
            answer = await engine.call("rent", body={"to": {"number": "+4917012345"}})
            assert answer.reply == {"code": "987654", "state": "ok"}
        with stage.logs[-1].reader() as reader:
            text = "\n".join(row.payload for row in reader.rows())
        assert "+4917012345" not in text
        assert "987654" not in text
        assert "[redacted] is busy" in text

    stage.play(act)


def test_a_reply_too_large_for_the_log_is_cut_there_and_whole_for_the_caller(stage: Any) -> None:
    async def act() -> None:
        async with stage.engine(Told("a", default="x" * 100_000)) as engine:
            assert len((await engine.call("x")).reply) == 100_000
        with stage.logs[-1].reader() as reader:
            row = next(row for row in reader.rows() if row.kind == "call_succeeded.v1")
        assert len(row.payload) < 5_000
        assert '"$cut"' in row.payload

    stage.play(act)


def test_side_calls_are_logged_in_lanes_of_their_own(stage: Any) -> None:
    async def act() -> None:
        async with stage.engine(
            Pingable("a", units=3), Told("b"), watch=False, policy=Policy(exploration=Decimal(0))
        ) as engine:
            told = await engine.ask("a", "stock", context={"country": "us"})
            assert (told.value, told.stock) == ({"units": 3}, 3)
            with pytest.raises(InvalidRequest, match="side calls"):
                await engine.ask("b", "stock")
            one = engine.standing.stock
            assert [belief.units for belief in one.values()] == [3]
            assert (await engine.call("x", context={"country": "us"})).provider == "b"  # Stock 3 is scarce.

    stage.play(act)


def test_a_doubtful_once_call_is_looked_up_before_another_provider_is_asked(stage: Any) -> None:
    async def act() -> None:
        absent = Found(finding=Finding.ABSENT)
        alpha = Searchable("a", [Ambiguous("reset")], findings=[absent])
        async with stage.engine(alpha, Told("b"), policy=IN_ORDER) as engine:
            answer = await engine.call("x", effect="once")
        assert (answer.provider, alpha.looked_up) == ("b", [alpha.calls[0][1]])
        alpha = Searchable("a", [Ambiguous("reset")], findings=[Found(finding=Finding.SUCCEEDED, value=5)])
        other = Told("b")
        async with stage.engine(alpha, other, policy=IN_ORDER) as engine:
            answer = await engine.call("x", effect="once")
        assert (answer.provider, answer.reply, answer.via, other.calls) == ("a", 5, "lookup", [])

    stage.play(act)
