"""What every event log does, whichever way it keeps its events."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from stores.samples import NOON, STORES, Log, Store, accepted, alert, assert_whole, claim

from understudy.events.chain import genesis, link
from understudy.events.codec import PAYLOAD_LIMIT, decode, encode
from understudy.events.errors import EventRefused, LogInUse, LogUnavailable
from understudy.events.log import EventLog, SealedBlock, Snapshot, StoreSensitive, TakeCommand
from understudy.events.operations import EngineStopped


@pytest.fixture(params=STORES, ids=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    made: Store = request.param(tmp_path)
    return made


@pytest.fixture
async def log(store: Store) -> AsyncIterator[Log]:
    log = store.log()
    await log.open("tester")
    yield log
    await log.close()


async def append(log: Log, *, count: int, step_us: int = 10) -> None:
    """Events 1 to `count` after the last, the n-th of the stream at noon + n steps."""
    for _ in range(count):
        seq = log.head.seq + 1
        log.append(alert(seq), at_us=NOON + seq * step_us)
    await log.durable(log.head.seq)


def test_a_store_fits_the_port(store: Store) -> None:
    log: EventLog = store.log()
    assert log.stream == "main"
    assert log.capacity > 0


async def test_a_new_log_ends_at_the_genesis_value(log: Log) -> None:
    assert log.head == (0, genesis("main"))
    await log.durable(0)
    with log.reader() as reader:
        assert reader.head() == log.head
        assert list(reader.rows()) == []


async def test_an_event_has_its_place_at_once_and_is_read_once_durable(log: Log) -> None:
    event = accepted()
    recorded = log.append(event, at_us=NOON)
    assert recorded == (1, NOON, event)
    row = encode(event, seq=1, at_us=NOON)
    assert log.head == (1, link(genesis("main"), row))
    await log.durable(1)
    assert log.pending == 0
    with log.reader() as reader:
        assert list(reader.rows()) == [row]
        assert decode(next(iter(reader.rows()))) == event
        assert reader.chain_at(1) == log.head.chain
        assert (reader.chain_at(0), reader.chain_at(2)) == (genesis("main"), None)


async def test_what_is_durable_brings_all_before_it(log: Log) -> None:
    for number in range(1, 301):
        log.append(alert(number), at_us=NOON)
    await log.durable(300)
    with log.reader() as reader:
        assert [row.seq for row in reader.rows()] == list(range(1, 301))
        assert assert_whole(reader) == 300


async def test_durability_may_be_awaited_by_many_and_again(log: Log) -> None:
    log.append(alert(), at_us=NOON)
    await asyncio.gather(*(log.durable(1) for _ in range(50)))
    await log.durable(1)
    await asyncio.wait_for(log.durable(1), timeout=5)


async def test_durability_of_what_was_never_appended_is_refused(log: Log) -> None:
    with pytest.raises(ValueError, match="event 1 has not been appended"):
        await log.durable(1)


async def test_a_request_too_large_is_refused_and_takes_no_place(log: Log) -> None:
    with pytest.raises(EventRefused, match="too large"):
        log.append(accepted(body="x" * PAYLOAD_LIMIT), at_us=NOON)
    assert log.head.seq == 0
    assert log.append(alert(), at_us=NOON).seq == 1


async def test_a_range_of_rows_leaves_out_its_start_and_has_its_end(log: Log) -> None:
    await append(log, count=2_500)
    with log.reader() as reader:
        assert [row.seq for row in reader.rows(after=3, through=6)] == [4, 5, 6]
        assert [found.seq for found in reader.links(after=2_498)] == [2_499, 2_500]
        assert [row.seq for row in reader.rows(after=100)] == list(range(101, 2_501))
        assert list(reader.rows(after=6, through=6)) == []


async def test_a_reader_tells_what_had_happened_at_an_instant(log: Log) -> None:
    for at_us in (10, 20, 20, 30):
        log.append(alert(), at_us=at_us)
    await log.durable(4)
    with log.reader() as reader:
        assert [reader.seq_at(at_us=at_us) for at_us in (9, 10, 19, 20, 29, 30, 99)] == [0, 1, 1, 3, 3, 4, 4]
        assert [reader.seq_at(position=position) for position in (0, 1, 3, 4, 99)] == [0, 1, 3, 4, 4]
        with pytest.raises(ValueError, match="either"):
            reader.seq_at()
        with pytest.raises(ValueError, match="either"):
            reader.seq_at(at_us=1, position=1)


async def test_the_rows_of_a_request_are_its_own_and_in_order(log: Log) -> None:
    for request_id in ("a", "b", "a"):
        log.append(accepted(request_id), at_us=NOON)
    log.append(alert(), at_us=NOON)
    assert [row.seq for row in await log.request_rows("a")] == [1, 3]
    assert await log.request_rows("c") == []
    await log.durable(4)
    assert [row.seq for row in await log.request_rows("b")] == [2]
    with log.reader() as reader:
        assert [row.seq for row in reader.request_rows("a")] == [1, 3]


async def test_operations_are_the_rows_of_one_kind_that_belong_to_no_request(log: Log) -> None:
    for event in (alert(1), accepted(), EngineStopped(writer="w"), alert(2), alert(3)):
        log.append(event, at_us=NOON)
    await log.durable(5)
    with log.reader() as reader:
        assert [row.seq for row in reader.operations("alert_raised.v1")] == [1, 4, 5]
        assert [row.seq for row in reader.operations("alert_raised.v1", through=4)] == [1, 4]
        assert reader.operations("request_accepted.v1") == [], "these belong to a request"


async def test_a_claim_holds_from_its_append_until_it_expires(log: Log) -> None:
    log.append(accepted(), at_us=NOON, side=[claim(expires_at_us=NOON + 5)])
    for _ in range(2):
        held = await log.claim(principal="p", operation="rent", key="k", at_us=NOON + 4)
        assert held == claim(expires_at_us=NOON + 5)
        assert await log.claim(principal="p", operation="rent", key="k", at_us=NOON + 5) is None
        assert await log.claim(principal="q", operation="rent", key="k", at_us=NOON) is None
        await log.durable(1)


async def test_a_claim_is_displaced_only_after_it_has_expired(log: Log) -> None:
    log.append(accepted(), at_us=NOON, side=[claim(expires_at_us=NOON + 5)])
    log.append(accepted(), at_us=NOON + 4, side=[claim(request_id="r2")])
    held = await log.claim(principal="p", operation="rent", key="k", at_us=NOON + 4)
    assert held is not None
    assert held.request_id == "r1"
    await log.durable(2)
    log.append(accepted(), at_us=NOON + 5, side=[claim(request_id="r3")])
    for _ in range(2):
        held = await log.claim(principal="p", operation="rent", key="k", at_us=NOON + 5)
        assert held is not None
        assert held.request_id == "r3"
        await log.durable(3)


async def test_sensitive_values_are_found_by_their_tokens(log: Log) -> None:
    log.append(accepted(), at_us=NOON, side=[StoreSensitive(token="t1", subject="s", value="+49 30 ☎")])
    for _ in range(2):
        assert await log.reveal(["t1", "t2"]) == {"t1": "+49 30 ☎"}
        await log.durable(1)
    assert await log.reveal([]) == {}


async def test_a_command_waits_until_it_is_taken(log: Log, store: Store) -> None:
    first, second = store.put_command('{"do": 1}'), store.put_command('{"do": "zwei ✓"}')
    assert await log.commands() == [(first, '{"do": 1}'), (second, '{"do": "zwei ✓"}')]
    log.append(alert(), at_us=NOON, side=[TakeCommand(command_id=first)])
    for _ in range(2):
        assert [command.command_id for command in await log.commands()] == [second]
        await log.durable(1)
    assert store.put_command("{}") > second


async def test_the_newest_fitting_snapshot_is_found_and_old_ones_go(log: Log) -> None:
    await append(log, count=10)

    def snapshot(seq: int, *, fold_version: int) -> Snapshot:
        return Snapshot(fold_version=fold_version, seq=seq, chain=b"c" * 32, content=bytes([seq]))

    await log.save_snapshot(snapshot(1, fold_version=1))
    for seq in range(3, 10):
        await log.save_snapshot(snapshot(seq, fold_version=2))
    with log.reader() as reader:
        assert reader.snapshot(fold_version=1) is None
        assert reader.snapshot(fold_version=2) == snapshot(9, fold_version=2)
        assert reader.snapshot(fold_version=2, through=8) == snapshot(8, fold_version=2)
        assert reader.snapshot(fold_version=2, through=3) is None, "only the newest few are kept"


async def test_sealed_blocks_come_back_in_order(log: Log) -> None:
    await append(log, count=9)

    def block(first: int, *, fold_version: int) -> SealedBlock:
        return SealedBlock(
            fold_version=fold_version,
            first_seq=first,
            last_seq=first + 2,
            chain=b"c" * 32,
            header=b"h",
            records=bytes(300),
            digest=b"d" * 32,
        )

    await log.save_block(block(1, fold_version=1))
    for first in (4, 1, 7):
        await log.save_block(block(first, fold_version=2))
    with log.reader() as reader:
        assert list(reader.blocks(fold_version=2)) == [block(first, fold_version=2) for first in (1, 4, 7)]
        assert [one.first_seq for one in reader.blocks(fold_version=2, after=1)] == [4, 7]
        assert [one.first_seq for one in reader.blocks(fold_version=2, after=5)] == [7]
        assert list(reader.blocks(fold_version=1)) == []


async def test_a_log_opened_again_goes_on_where_it_ended(store: Store) -> None:
    for round_ in range(3):
        log = store.log()
        await log.open(f"engine {round_}")
        assert log.head.seq == round_ * 2
        log.append(accepted(), at_us=NOON + round_, side=[claim(f"k{round_}")])
        log.append(alert(), at_us=NOON + round_)
        head, salt = log.head, log.salt
        await log.close()
    log = store.log()
    await log.open("the last")
    assert (log.head, log.salt) == (head, salt)
    assert len(salt) >= 16
    assert await log.claim(principal="p", operation="rent", key="k0", at_us=NOON) == claim("k0")
    with log.reader() as reader:
        assert assert_whole(reader) == 6
    await log.close()


async def test_an_open_log_cannot_be_opened_again(log: Log) -> None:
    with pytest.raises(LogInUse, match="tester"):
        await log.open("the second")
    log.append(alert(), at_us=NOON)
    await log.durable(1)


async def test_a_closed_log_takes_nothing_and_closing_may_be_repeated(log: Log) -> None:
    log.check()
    await log.close()
    await log.close()
    with pytest.raises(LogUnavailable):
        log.check()
    with pytest.raises(LogUnavailable):
        log.append(alert(), at_us=NOON)
    await log.open("again")
    assert log.append(alert(), at_us=NOON).seq == 1


async def test_a_log_that_was_never_opened_takes_nothing(store: Store) -> None:
    log = store.log()
    with pytest.raises(LogUnavailable):
        log.check()
    with pytest.raises(LogUnavailable):
        log.append(alert(), at_us=NOON)
    await log.close()
