"""What a caller of the engine gets, seen from outside."""

import asyncio
import functools
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from providers_for_tests import Pingable, Searchable, Told, never

from understudy.adapters import SqliteLog
from understudy.engine import (
    AllProvidersFailed,
    Ambiguous,
    Deadline,
    DeadlineExceeded,
    Engine,
    EngineClosed,
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
    provider,
)
from understudy.events.errors import EventRefused, LogInUse

IN_ORDER = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0)


def test_the_answer_names_who_served_and_what_was_replied(stage: Any) -> None:
    async def act() -> None:
        async with stage.engine(Told("alpha", default=Reply(value={"number": "+1"}, reference="r-1"))) as engine:
            answer = await engine.call("rent_number", context={"country": "us"}, effect="once")
        assert (answer.provider, answer.reply, answer.reference) == ("alpha", {"number": "+1"}, "r-1")
        assert (answer.failovers, answer.attempts, answer.via, answer.joined) == (0, 1, "call", False)

    stage.play(act)


def test_a_plain_function_is_a_provider_and_gets_what_it_names(stage: Any) -> None:
    async def fetch(request: Any) -> str:
        return f"{request.context['country']}!"

    async def act() -> None:
        async with stage.engine(provider("alpha", priority=2)(fetch)) as engine:
            assert (await engine.call("x", context={"country": "us"})).reply == "us!"
            assert engine.policy.providers[0].priority == 2

    stage.play(act)


async def as_offered(operation: str, request: Any, *, key: str, deadline: Deadline) -> list[Any]:
    return [operation, request.operation, len(key), deadline.remaining_s() > 0]


async def by_place(operation: str, request: Any, key: str, deadline: Deadline) -> list[Any]:
    return await as_offered(operation, request, key=key, deadline=deadline)


async def by_name(*, operation: str, request: Any, key: str, deadline: Deadline) -> list[Any]:
    return await as_offered(operation, request, key=key, deadline=deadline)


async def in_any_order(deadline: Deadline, key: str, request: Any, operation: str) -> list[Any]:
    return await as_offered(operation, request, key=key, deadline=deadline)


async def whatever_there_is(**offered: Any) -> list[Any]:
    return await by_name(**offered)


@functools.wraps(as_offered)
async def in_another_coat(**offered: Any) -> list[Any]:
    return await by_name(**offered)


async def the_rest(operation: str, request: Any, **offered: Any) -> list[Any]:
    return await as_offered(operation, request, **offered)


SHAPES = [as_offered, by_place, by_name, in_any_order, whatever_there_is, in_another_coat, the_rest]


@pytest.mark.parametrize("function", SHAPES)
def test_a_function_may_take_what_there_is_in_any_way(stage: Any, function: Any) -> None:
    async def act() -> None:
        async with stage.engine(provider("alpha")(function)) as engine:
            assert (await engine.call("rent")).reply == ["rent", "rent", 32, True]

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


def test_what_is_no_provider_is_refused_before_anything_starts() -> None:
    class Sync:
        id = "sync"

        def call(self, operation: str, request: Any, *, key: str, deadline: Any):  # type: ignore[no-untyped-def]  # noqa: ANN202
            return 1

    class Short:
        id = "short"

        async def call(self, operation: str) -> None:
            pass

    for wrong, words in ((Sync(), "async def"), (Short(), "must take"), ("x", "no provider")):
        with pytest.raises(TypeError, match=words):
            Engine(providers=[wrong], log=SqliteLog("never-opened.db"))  # type: ignore[list-item]


def test_functions_are_given_what_they_name_or_everything_that_there_is(stage: Any) -> None:
    given: list[set[str]] = []

    async def ping() -> None:
        given.append(set())

    async def stock(**everything: Any) -> Reply:
        given.append({*everything})
        return Reply(stock=7)

    @provider("a", ping=ping, stock=stock)
    async def alpha(deadline: Any, key: str) -> float:
        given.append({"deadline", "key"})
        return float(deadline.remaining_s())

    async def act() -> None:
        async with stage.engine(alpha, watch=False, policy=Policy(request_timeout_ms=700)) as engine:
            await engine.ask("a", "ping")
            assert (await engine.ask("a", "stock")).stock == 7
            assert (await engine.call("x")).reply == pytest.approx(0.7)

    stage.play(act)
    assert given == [set(), {"request", "deadline"}, {"deadline", "key"}]


def test_a_function_that_cannot_serve_is_refused_where_it_is_named() -> None:
    async def asks_for_more(request: Any, price: int) -> None:
        """Nobody gives a price."""

    def does_not_await() -> None:
        """As plain as can be."""

    with pytest.raises(TypeError, match="it cannot be given 'price'"):
        provider("a")(asks_for_more)
    with pytest.raises(TypeError, match="provider 'a': `ping` must be an `async def`"):
        provider("a", ping=does_not_await)


@pytest.mark.parametrize(
    ("providers", "error", "words"),
    [
        ([], ValueError, r"providers is empty, .* pass at least one: providers=\[…\]"),
        (Told("a"), TypeError, r"providers is Told.*, one provider alone; pass a list: providers=\[…\]"),
        (Told, TypeError, r"one provider alone; pass a list"),
        ("alpha", TypeError, r"providers is 'alpha', and must be a list of providers"),
        (None, TypeError, r"providers is None, and must be a list of providers"),
        ([Told], TypeError, r"Told'> is a class, .* pass an object of it: Told\(…\)"),
    ],
)
def test_what_is_no_list_of_providers_is_refused_with_what_would_be_right(
    providers: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        Engine(providers=providers, log=SqliteLog("never-opened.db"))


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("calls.db", r"name of a file, not a log; pass SqliteLog\('calls.db'\)"),
        (Path("calls.db"), r"name of a file, not a log; pass SqliteLog\('calls.db'\)"),
        (SqliteLog, "no log; pass SqliteLog"),
        (None, "log is None, and that is no log"),
    ],
)
def test_what_is_no_log_is_refused_with_what_would_be_right(log: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        Engine(providers=[Told("a")], log=log)


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


def test_wrong_arguments_are_refused_before_anything_happens(stage: Any) -> None:
    async def act() -> None:
        async with stage.engine(Told("a")) as engine:
            before = len(stage.kinds())
            for wrong, error, words in (
                ({"effect": "onse"}, InvalidRequest, "did you mean 'once'"),
                ({"context": {"country": 7}}, InvalidRequest, "must be text"),
                ({"amount": 1.5}, InvalidRequest, "float"),
                ({"amount": "many"}, InvalidRequest, "decimal number"),
                ({"amount": Decimal("NaN")}, InvalidRequest, "finite"),
                ({"preferred": "b"}, InvalidRequest, "unknown; known: a"),
                ({"deadline_ms": -1}, InvalidRequest, "from 1 to"),
                ({"deadline_ms": 0}, InvalidRequest, "from 1 to"),
                ({"context": "us"}, InvalidRequest, "mapping"),
                ({"idempotency_key": 17}, InvalidRequest, "must be text"),
                ({"idempotency_key": ""}, InvalidRequest, "printable"),
                ({"context": {"country": "u\ns"}}, InvalidRequest, r"context\['country'\] must be 1 to .* printable"),
                ({"body": {"price": float("nan")}}, EventRefused, "JSON"),
                ({"body": "x" * 70_000}, EventRefused, "too large"),
            ):
                with pytest.raises(error, match=words):
                    await engine.call("x", **wrong)
            assert len(stage.kinds()) == before

    stage.play(act)


def test_a_second_engine_on_the_same_file_is_refused_with_the_holders_name(stage: Any) -> None:
    async def act() -> None:
        async with stage.engine(Told("a"), log=stage.file()):
            second = Engine(providers=[Told("a")], log=SqliteLog(stage.logs[-1].path))
            with pytest.raises(LogInUse, match="simulation"):
                await second.start()

    stage.play(act)


def test_a_closed_engine_says_so(stage: Any) -> None:
    async def act() -> None:
        engine = stage.engine(Told("a"))
        with pytest.raises(EngineClosed):
            await engine.call("x")
        async with engine:
            await engine.call("x")
        await engine.stop()
        with pytest.raises(EngineClosed):
            await engine.call("x")

    stage.play(act)


def test_repeated_or_unknown_provider_ids_are_refused() -> None:
    with pytest.raises(ValueError, match="two providers have the id 'a'; ids must be unique"):
        Engine(providers=[Told("a"), Told("b"), Told("a")], log=SqliteLog("never-opened.db"))
    policy = Policy(providers=(ProviderSettings(id="b"),))
    with pytest.raises(ValueError, match="'b'"):
        Engine(providers=[Told("a")], log=SqliteLog("never-opened.db"), policy=policy)


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
