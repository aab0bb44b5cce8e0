"""What nobody serves any more, and what only an operator settles: each command that is asked says so."""

import asyncio
from pathlib import Path

import pytest
from cli.command_line import answered, run, said
from cli.engine_process import running
from providers_for_tests import Searchable, Told, never

from understudy.adapters.stores import MemoryLog, SqliteLog
from understudy.engine import Ambiguous, Engine, Finding, Found, OutcomeUnknown, Policy, Strategy
from understudy.events.calls import CallAbandoned, CallStarted
from understudy.events.requests import RequestAccepted
from understudy.events.vocabulary import AbandonReason, Effect

HELD = "647484658b52000000000004"
"""The suspended request of the eventful log."""
ASKS = (("status",), ("requests",), ("explain", "last"))
IN_ORDER = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0)


@pytest.mark.parametrize("words", ASKS, ids=lambda words: words[0])
def test_requests_that_nobody_serves_any_more_are_said_to_wait_for_the_next_start(
    words: tuple[str, ...], eventful_log: Path
) -> None:
    result = run(words[0], eventful_log, *words[1:])
    sentence = f"no engine owns {eventful_log}, and 1 request is open: the next start of an engine settles it\n"
    assert (result.exit_code, result.stderr) == (0, sentence)
    found = answered(words[0], eventful_log, *words[1:])
    assert (found["owner"], found["left_open"]) == (None, 1)


async def test_of_several_it_is_said_in_the_plural_and_nothing_of_the_past(tmp_path: Path) -> None:
    log, path = SqliteLog(tmp_path / "whole.db"), tmp_path / "calls.db"
    async with Engine(providers=[Told("alpha", default=never())], log=log, watch=False) as engine:
        hanging = [asyncio.create_task(engine.call("fetch")) for _ in range(2)]
        await asyncio.sleep(0)
        await log.durable(log.head.seq)
        path.write_bytes(await asyncio.to_thread(_copied, log.path))
        for one in hanging:
            one.cancel()
    assert ", and 2 requests are open: the next start of an engine settles them\n" in run("status", path).stderr
    past = run("status", path, "--position", "3")
    assert (past.exit_code, past.stderr) == (0, "")
    assert "left_open" not in answered("status", path, "--position", "3")


def _copied(path: Path) -> bytes:
    copy = path.with_suffix(".copy")
    from understudy.adapters.stores import SqliteReader  # noqa: PLC0415 - Only here.

    with SqliteReader.open(path) as reader:
        reader._connection.execute("VACUUM INTO ?", (str(copy),))
    return copy.read_bytes()


def test_where_all_is_settled_or_an_engine_runs_nothing_is_said(short_log: Path, tmp_path: Path) -> None:
    for words in ASKS:
        assert run(words[0], short_log, *words[1:]).stderr == ""
    with running(tmp_path / "calls.db") as engine:
        engine.ask("call")
        for words in ASKS:
            found = answered(words[0], tmp_path / "calls.db", *words[1:])
            assert f"(process {engine.pid} on " in found["owner"]
            assert found["left_open"] == 0
            assert "no engine owns" not in run(words[0], tmp_path / "calls.db", *words[1:]).stderr
        engine.stop()


def test_a_request_without_a_look_up_is_said_to_need_an_operator_who_is_told_what_to_type(eventful_log: Path) -> None:
    line = f"understudy resolve {eventful_log} {HELD} --executed REF --reason TEXT  (or --not-executed)\n"
    status = said("status", eventful_log)
    assert (
        "1 request is held, and its provider has no look-up: only an operator's word settles it, given by\n" in status
    )
    assert f"\n  {line}" in status
    assert answered("status", eventful_log)["held"] == [{"request_id": HELD, "provider": "alpha", "has_lookup": False}]
    story = said("explain", eventful_log, HELD)
    assert "alpha has no look-up, so only an operator's word settles it" in " ".join(story.split())
    assert story.endswith(f"  what to do       {line}")
    assert "what to do" not in said("explain", eventful_log, "last")


async def test_the_caller_is_told_the_same_and_so_is_a_repeat(tmp_path: Path) -> None:
    path = tmp_path / "my calls.db"
    alpha = Told("alpha", [Ambiguous("reset")])
    async with Engine(providers=[alpha], log=SqliteLog(path), policy=IN_ORDER) as engine:
        for _ in range(2):
            with pytest.raises(OutcomeUnknown) as caught:
                await engine.call("pay", effect="once", idempotency_key="k")
            command = f"understudy resolve '{path}' {caught.value.request_id} --executed REF --reason TEXT"
            assert str(caught.value).endswith(
                f". alpha has no look-up, so only an operator's word settles it: `{command}` (or --not-executed)"
            )
    async with Engine(providers=[Told("alpha", [Ambiguous("reset")])], log=MemoryLog(), policy=IN_ORDER) as engine:
        with pytest.raises(OutcomeUnknown, match=r"word settles it: `engine\.resolve`$"):
            await engine.call("pay", effect="once")


async def test_where_look_ups_go_on_nobody_is_sent_to_resolve(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    alpha = Searchable("alpha", [Ambiguous("reset")], findings=[Found(finding=Finding.PENDING)] * 9)
    policy = IN_ORDER.model_copy(update={"deadline_ms": 50})
    async with Engine(providers=[alpha], log=SqliteLog(path), policy=policy) as engine:
        for _ in range(2):
            with pytest.raises(OutcomeUnknown) as caught:
                await engine.call("pay", effect="once", idempotency_key="k")
            assert "resolve" not in str(caught.value)
    text = await asyncio.to_thread(said, "status", path)
    assert "\n1 request is held until look-ups, or an operator, tell what became of it\n" in text
    assert "resolve" not in text
    assert "resolve" not in await asyncio.to_thread(said, "explain", path, "last")


async def test_a_call_never_sent_is_told_to_be_so_and_is_no_call_even_in_a_log_without_sense(
    tmp_path: Path,
) -> None:
    path = tmp_path / "calls.db"
    log, shared = SqliteLog(path), {"request_id": "r1", "provider": "alpha", "operation": "pay", "attempt": 1}
    await log.open("test")
    log.append(RequestAccepted(request_id="r1", operation="pay", effect=Effect.ONCE, deadline_at_us=9), at_us=1)
    log.append(CallStarted(**shared, key="k", deadline_at_us=5), at_us=2)  # type: ignore[arg-type]
    never_sent = CallAbandoned(**shared, started_seq=2, latency_us=4, reason=AbandonReason.NOT_SENT)  # type: ignore[arg-type]
    log.append(never_sent, at_us=6)
    await log.close()
    told = " ".join((await asyncio.to_thread(said, "explain", path, "r1")).split())
    assert (
        "the call to alpha was never sent, as its intent was not on record in time: nothing was executed;"
        " where time is left, the request is decided anew" in told
    )
    assert "outcome unknown" not in told
    assert (await asyncio.to_thread(answered, "requests", path))["requests"][0]["calls"] == 0
