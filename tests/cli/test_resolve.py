"""`understudy resolve` where no engine runs: a suspended request comes to its end, and no other does."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cli.command_line import answered, refused, said
from cli.eventful import KEY
from providers_for_tests import Searchable, Told, never

from understudy.adapters.stores import SqliteLog, SqliteReader
from understudy.engine import (
    Ambiguous,
    Deadline,
    Engine,
    Finding,
    Found,
    OutcomeUnknown,
    Policy,
    Request,
    RequestInterrupted,
    Strategy,
)
from understudy.replay.verify import verify

HELD = "647484658b52000000000004"
"""The suspended request of the eventful log."""
WHY = ("--reason", "on the statement", "--actor", "ann")
IN_ORDER = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0)


@pytest.fixture
def held_log(eventful_log: Path, tmp_path: Path) -> Path:
    """A copy of the eventful log, which a crash has ended: one request is suspended, one open."""
    path = tmp_path / "calls.db"
    path.write_bytes(eventful_log.read_bytes())
    return path


def kinds(path: Path, *, after: int = 0) -> list[str]:
    with SqliteReader.open(path) as reader:
        return [row.kind.partition(".")[0] for row in reader.rows(after=after)]


def assert_sound(path: Path) -> None:
    with SqliteReader.open(path) as reader:
        verification = verify(reader)
        assert verification.ok, verification
        assert reader.commands_waiting() == 0


@pytest.mark.parametrize(
    ("words", "end", "reference"),
    [(("--executed", "bank-7"), "request_completed", "bank-7"), (("--not-executed",), "request_failed", None)],
    ids=["executed", "not executed"],
)
def test_a_suspended_request_ends_and_its_alert_is_over_and_nothing_else_changes(
    words: tuple[str, ...], end: str, reference: str | None, held_log: Path
) -> None:
    found = answered("resolve", held_log, HELD, *words, *WHY)
    assert kinds(held_log, after=46) == ["request_resumed", end, "alert_cleared"]
    assert found["event"]["event"].get("reference") == reference
    assert found["request"]["outcome"] == ("served" if reference else "failed")
    assert answered("requests", held_log, "--outcome", "held")["requests"] == []
    assert len(answered("requests", held_log, "--outcome", "open")["requests"]) == 1
    assert_sound(held_log)


def test_it_says_what_was_resolved_by_whom_and_how_the_request_ended(held_log: Path) -> None:
    assert said("resolve", held_log, HELD[:14], "--executed", "bank-7", *WHY) == (
        f"{held_log}: request {HELD} (rent at alpha) is resolved: executed, with reference bank-7\n"
        "  by     ann: on the statement\n"
        "  event  47, written by this command, as no engine is running\n"
        "  now    served by alpha (known by operator)\n"
    )


def test_a_request_that_was_not_executed_has_failed(held_log: Path) -> None:
    text = said("resolve", held_log, HELD, "--not-executed", *WHY)
    assert "is resolved: not executed\n" in text
    assert "  now    failed: not_executed, last ambiguous\n" in text


@pytest.mark.parametrize("executed", [True, False])
async def test_a_repeat_under_the_same_key_is_told_after_the_next_start(executed: bool, tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    pay: dict[str, Any] = {"effect": "once", "idempotency_key": "order-17"}
    async with Engine(providers=[Told("alpha", [Ambiguous("reset")])], log=SqliteLog(path), policy=IN_ORDER) as engine:
        with pytest.raises(OutcomeUnknown) as caught:
            await engine.call("pay", **pay)
    words = ("--executed", "bank-7") if executed else ("--not-executed",)
    await asyncio.to_thread(said, "resolve", path, caught.value.request_id, *words, *WHY)
    async with Engine(providers=[Told("alpha")], log=SqliteLog(path), policy=IN_ORDER) as engine:
        assert engine.unsettled == ()
        if executed:
            answer = await engine.call("pay", **pay)
            assert (answer.via, answer.reference) == ("operator", "bank-7")
        else:
            with pytest.raises(RequestInterrupted, match="not_executed"):
                await engine.call("pay", **pay)
    assert_sound(path)


async def test_a_look_up_that_a_crash_cut_short_does_not_matter_any_more(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    alpha = Searchable("alpha", [Ambiguous("reset")], findings=[Found(finding=Finding.PENDING)])
    policy = IN_ORDER.model_copy(update={"lookup_interval_ms": 50})
    engine = Engine(providers=[alpha], log=SqliteLog(tmp_path / "whole.db"), policy=policy)
    async with engine:
        with pytest.raises(OutcomeUnknown) as caught:
            await engine.call("pay", effect="once", deadline_ms=40)
        alpha.lookup = lambda *_, **__: never()()  # type: ignore[method-assign]
        async with asyncio.timeout(20):
            while not engine.standing.calls:  # noqa: ASYNC110 - Until the next look-up is under way.
                await asyncio.sleep(0)
        await _copy_as_a_crash_leaves_it(engine, path)
    await asyncio.to_thread(said, "resolve", path, caught.value.request_id, "--executed", "bank-7", *WHY)
    assert kinds(path)[-3:] == ["request_resumed", "request_completed", "alert_cleared"]
    async with Engine(providers=[alpha], log=SqliteLog(path), policy=policy) as engine:
        assert engine.unsettled == ()
        assert engine.standing.calls == {}
    assert_sound(path)


async def _copy_as_a_crash_leaves_it(engine: Engine, path: Path) -> None:
    log = engine._log
    await log.durable(log.head.seq)
    with SqliteReader.open(path.with_name("whole.db")) as reader:
        reader._connection.execute("VACUUM INTO ?", (str(path),))


# --- refused


def test_what_is_not_suspended_is_refused_with_what_became_of_it(held_log: Path) -> None:
    listed = f"; `understudy requests {held_log} --outcome held` lists those that are suspended"
    became = {one["request_id"]: one["outcome"] for one in answered("requests", held_log)["requests"]}
    for request_id, outcome in became.items():
        if outcome == "held":
            continue
        what = {
            "served": "it was served by ",
            "failed": "it ended as failed, ",
            "open": "it was left open by a crash, and the next start of an engine settles it",
        }[outcome]
        sentence = refused("resolve", held_log, request_id, "--not-executed", *WHY)
        assert sentence.startswith(f"request {request_id} is not suspended: {what}")
        assert sentence.endswith(listed)
    assert kinds(held_log, after=46) == []


@pytest.mark.parametrize("wanted", ["last", "last-failover"])
def test_last_is_refused_because_it_may_be_another_by_now(wanted: str, held_log: Path) -> None:
    assert refused("resolve", held_log, wanted, "--not-executed", *WHY) == (
        f"`{wanted}` is not accepted here, for it may be another request by the time that you have typed it;"
        f" `understudy requests {held_log} --outcome held` lists those that are suspended"
    )
    assert refused("forget", held_log, "--request", wanted, "--reason", "wrong number") == (
        f"`{wanted}` is not accepted here, for it may be another request by the time that you have typed it;"
        " `understudy requests` lists them"
    )


@pytest.mark.parametrize("wanted", ["zulu", "", "%"])
def test_an_unknown_request_is_refused(wanted: str, held_log: Path) -> None:
    sentence = refused("resolve", held_log, wanted, "--not-executed", *WHY)
    assert sentence == (
        f"no request has the id or the key {wanted!r}, nor an id that begins so; `understudy requests {held_log}"
        " --outcome held` lists those that are suspended"
    )


def test_a_beginning_that_several_share_is_refused(held_log: Path) -> None:
    assert "write a whole id" in refused("resolve", held_log, HELD[:5], "--not-executed", *WHY)


def test_its_callers_key_names_it_too_where_nothing_else_can_be_meant(held_log: Path) -> None:
    found = answered("resolve", held_log, KEY, "--executed", "bank-7", *WHY)
    assert (found["request"]["request_id"], found["request"]["outcome"]) == (HELD, "served")


async def test_a_key_that_several_requests_have_or_with_which_an_id_begins_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    async with Engine(
        providers=[Told("alpha", [Ambiguous("reset")] * 4)], log=SqliteLog(path), policy=IN_ORDER
    ) as engine:
        ids = [await _held_id(engine, operation, key="k") for operation in ("pay", "refund")]
        begins = ids[0][:-1]
        other = await _held_id(engine, "pay", key=begins)
    for wanted, meant in (("k", ids), (begins, [ids[0], other])):
        sentence = await asyncio.to_thread(refused, "resolve", path, wanted, "--not-executed", *WHY)
        assert sentence.endswith("; write a whole id")
        assert all(one in sentence for one in meant)
    await asyncio.to_thread(said, "resolve", path, ids[0], "--not-executed", *WHY)


async def _held_id(engine: Engine, operation: str, *, key: str) -> str:
    with pytest.raises(OutcomeUnknown) as caught:
        await engine.call(operation, effect="once", idempotency_key=key)
    return caught.value.request_id


@pytest.mark.parametrize("words", [(), ("--executed", "bank-7", "--not-executed")], ids=["neither", "both"])
def test_it_must_be_said_which_of_the_two(words: tuple[str, ...], held_log: Path) -> None:
    sentence = refused("resolve", held_log, HELD, *words, *WHY)
    assert sentence == "say what became of it: either --executed REF or --not-executed"


@pytest.mark.parametrize("reference", ["", " ", "x" * 501])
def test_a_reference_is_neither_empty_nor_endless(reference: str, held_log: Path) -> None:
    assert "Invalid value for '--executed'" in refused("resolve", held_log, HELD, "--executed", reference, *WHY)
    assert kinds(held_log, after=46) == []


async def test_after_a_contradiction_an_operator_has_the_last_word(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def found() -> None:
        asked.set()
        await go_on.wait()

    alpha = Patient("alpha", [Ambiguous("reset")], waits=found)
    policy = IN_ORDER.model_copy(update={"deadline_ms": 100, "request_timeout_ms": 100, "lookup_interval_ms": 1})
    async with Engine(providers=[alpha], log=SqliteLog(path), policy=policy) as engine:
        with pytest.raises(OutcomeUnknown):
            await engine.call("pay", effect="once")
        (held,) = engine.unsettled
        asked.clear()
        await asyncio.wait_for(asked.wait(), 10)
        engine.resolve(held, executed=False, actor="bob", reason="not on the statement")
        go_on.set()
        async with asyncio.timeout(20):
            while engine.unsettled:  # noqa: ASYNC110 - Until it has ended as bob has said.
                await asyncio.sleep(0)
    text = await asyncio.to_thread(said, "resolve", path, held, "--executed", "order-9", *WHY)
    assert "is resolved: executed, with reference order-9\n" in text
    assert "  now    it had ended as failed, not executed before; its alert is over\n" in text
    assert kinds(path)[-2:] == ["request_resumed", "alert_cleared"]
    listed = await asyncio.to_thread(answered, "requests", path)
    assert [one["outcome"] for one in listed["requests"]] == ["failed"]
    assert_sound(path)
    await asyncio.to_thread(refused, "resolve", path, held, "--executed", "order-9", *WHY)


@dataclass
class Patient(Searchable):
    """One whose look-ups wait, and find that it was executed."""

    waits: Callable[[], Awaitable[None]] | None = None

    async def lookup(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Found:
        assert self.waits is not None
        await self.waits()
        return Found(finding=Finding.SUCCEEDED, reference="order-9")
