"""What waits together is written together, and nobody who waits can disturb it."""

import asyncio
import threading
from pathlib import Path

import pytest
from stores.samples import NOON, accepted, alert, assert_whole, claim, names, until

from understudy.adapters.stores import SqliteLog, SqliteReader


def transactions(statements: list[str]) -> int:
    """How many transactions there were: those begun by name, and every INSERT by itself."""
    count, begun = 0, False
    for statement in statements:
        begun = statement.startswith("BEGIN") or (begun and statement != "COMMIT")
        count += statement == "COMMIT" or (not begun and statement.startswith("INSERT"))
    return count


async def test_what_is_appended_in_one_pass_of_the_loop_is_one_transaction(
    log: SqliteLog, statements: list[str]
) -> None:
    async def call(number: int) -> None:
        await log.durable(log.append(alert(number), at_us=NOON).seq)

    await asyncio.gather(*(call(number) for number in range(100)))
    assert transactions(statements) == 1
    assert len(statements) == 1, "one multi-row INSERT, which is a transaction by itself"


async def test_a_task_that_is_begun_by_who_appends_joins_the_same_transaction(
    log: SqliteLog, statements: list[str]
) -> None:
    async def serve() -> None:
        await log.durable(log.append(alert(), at_us=NOON).seq)

    log.append(alert(), at_us=NOON)
    await asyncio.create_task(serve())
    assert transactions(statements) == 1


async def test_while_many_wait_the_next_group_does_not_wait_for_those_who_have_just_been_told(
    log: SqliteLog, statements: list[str]
) -> None:
    async def call_twice() -> None:
        await log.durable(log.append(alert(), at_us=NOON).seq)
        await log.durable(log.append(alert(), at_us=NOON).seq)

    calling = asyncio.create_task(call_twice())
    await until(lambda: log.busy)
    for _ in range(2):
        log.append(alert(), at_us=NOON)
    await calling
    assert log.head.seq == 4
    assert transactions(statements) == 3


async def test_a_large_group_and_what_is_written_beside_it_are_one_transaction(
    log: SqliteLog, statements: list[str]
) -> None:
    for number in range(300):
        log.append(alert(number), at_us=NOON, side=[claim(str(number))] if number % 100 == 0 else [])
    await log.durable(300)
    assert transactions(statements) == 1
    assert [line.split(" (")[0] for line in statements] == (
        ["BEGIN IMMEDIATE"] + ["INSERT OR ROLLBACK INTO events"] * 3 + ["INSERT INTO claims"] * 3 + ["COMMIT"]
    )


async def test_callers_in_step_share_every_commit(log: SqliteLog, statements: list[str]) -> None:
    async def call() -> None:
        for _ in range(10):
            await log.durable(log.append(alert(), at_us=NOON).seq)

    await asyncio.gather(*(call() for _ in range(20)))
    assert log.head.seq == 200
    assert transactions(statements) == 10


async def test_what_is_appended_during_a_commit_is_the_next_group(log: SqliteLog, statements: list[str]) -> None:
    log.append(alert(), at_us=NOON)
    await until(lambda: log.busy)
    for _ in range(50):
        log.append(alert(), at_us=NOON)
    assert log.pending == 51
    await log.durable(51)
    assert transactions(statements) == 2
    assert log.pending == 0


async def test_who_answers_a_commit_at_once_joins_the_group_that_waits(log: SqliteLog, statements: list[str]) -> None:
    async def call_twice() -> None:
        await log.durable(log.append(alert(), at_us=NOON).seq)
        await log.durable(log.append(alert(), at_us=NOON).seq)

    calling = asyncio.create_task(call_twice())
    await until(lambda: log.busy)
    log.append(alert(), at_us=NOON)
    await calling
    assert log.head.seq == 3
    assert transactions(statements) == 2


async def test_more_than_one_transaction_may_hold_is_written_in_order(log: SqliteLog) -> None:
    for number in range(10_000):
        log.append(alert(number), at_us=NOON)
    first, last = log.durable(1), log.durable(10_000)
    await first
    assert log.pending > 0, "the first group is durable before the last"
    await last
    with log.reader() as reader:
        assert assert_whole(reader) == 10_000


async def test_a_cancelled_caller_takes_nobody_along(log: SqliteLog) -> None:
    async def call() -> int:
        seq = log.append(alert(), at_us=NOON).seq
        await log.durable(seq)
        return seq

    tasks = [asyncio.create_task(call()) for _ in range(30)]
    await until(lambda: log.busy)
    for task in tasks[::2]:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(one, asyncio.CancelledError) for one in ended[::2])
    assert ended[1::2] == list(range(2, 31, 2))
    with log.reader() as reader:
        assert assert_whole(reader) == 30


async def test_a_cancelled_question_does_not_hold_up_the_writer(log: SqliteLog) -> None:
    question = asyncio.create_task(log.request_rows("r1"))
    await asyncio.sleep(0)
    question.cancel()
    log.append(accepted(), at_us=NOON)
    await log.durable(1)
    assert len(await log.request_rows("r1")) == 1
    assert not log.busy


async def test_a_key_that_becomes_durable_while_it_is_asked_for_is_not_free(log: SqliteLog) -> None:
    """The question does not see the claim, and word of its commit arrives together with the answer."""
    log.append(accepted(), at_us=NOON, side=[claim()])
    asking = asyncio.create_task(log.claim(principal="p", operation="rent", key="k", at_us=NOON))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert log._writer is not None
    done = threading.Event()
    log._writer.holding.thread.hand_over(lambda _: done.set(), lambda _: None)
    assert done.wait(timeout=5)
    assert await asking == claim()


async def test_a_cancelled_close_goes_on(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "other.db")
    await log.open("tester")
    for _ in range(1_000):
        log.append(alert(), at_us=NOON)
    closing = asyncio.create_task(log.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await log.close()
    with SqliteReader.open(log.path) as reader:
        assert assert_whole(reader) == 1_000


async def test_a_closed_log_leaves_one_file_and_no_thread(tmp_path: Path) -> None:
    threads, tasks = set(threading.enumerate()), asyncio.all_tasks()
    log = SqliteLog(tmp_path / "calls.db")
    await log.open("tester")
    log.append(alert(), at_us=NOON)
    await log.close()
    assert asyncio.all_tasks() == tasks
    for thread in set(threading.enumerate()) - threads:
        thread.join(timeout=5)  # It has been told to end, and may be on its way.
        assert not thread.is_alive()
    assert names(tmp_path) == ["calls.db", "calls.db.lock"]


def test_a_loop_that_ends_without_closing_still_writes_and_lets_go(tmp_path: Path) -> None:
    threads = set(threading.enumerate())
    log = SqliteLog(tmp_path / "calls.db")

    async def forgetful() -> None:
        await log.open("tester")
        for _ in range(100):
            log.append(alert(), at_us=NOON)

    asyncio.run(forgetful())
    for thread in set(threading.enumerate()) - threads:
        thread.join(timeout=5)
        assert not thread.is_alive()
    with SqliteReader.open(log.path) as reader:
        assert assert_whole(reader) == 100
