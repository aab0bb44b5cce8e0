"""The ledger from snapshots, blocks and rows is the ledger from the rows alone, whatever of them can be trusted."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import islice
from typing import Any

import hypothesis
import pytest
from histories import MOVES, History, Move
from histories import policies as policies_of_histories
from hypothesis import strategies as st
from telling import Telling, tellings

from examples import tried_on
from understudy.adapters.stores.memory import Book
from understudy.engine import caches
from understudy.engine.caches import dump
from understudy.engine.ledger import Ledger
from understudy.engine.restore import Restoration, restore
from understudy.events.codec import recorded
from understudy.events.log import Head, LogReader, SealedBlock, Snapshot
from understudy.events.policy import Policy
from understudy.events.row import Recorded, Row
from understudy.projections import block as blocks
from understudy.projections.block import BlockBuilder, digest
from understudy.projections.standing import FOLD_VERSION

MILESTONE = 20
"""Events between milestones here: blocks are of one to nine."""


@pytest.fixture(autouse=True, scope="module")
def near_milestones() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "MILESTONE_EVENTS", MILESTONE)
        patch.setattr(caches, "BLOCK_EVENTS", 9)
        yield


def told(policy: Policy, moves: list[Move]) -> Sequence[Recorded]:
    return History(policy).play(moves).story.recorded


def logs() -> st.SearchStrategy[Sequence[Recorded]]:
    """Requests, crashes, operators and limits; or calls alone, under changing policies and local faults."""
    return st.builds(told, policies_of_histories(), MOVES) | tellings().map(lambda telling: telling.log)


def book_of(log: Sequence[Recorded]) -> Book:
    book = Book("main")
    book.events = list(log)
    return book


def folded(book: Book, *, through: int) -> Ledger:
    """The ledger by the rows."""
    ledger = Ledger()
    for row in book.rows(through=through):
        ledger.fold(recorded(row))
    return ledger


def seal(book: Book, *, sizes: Sequence[int], snapshots: Sequence[int] = ()) -> None:
    """Put blocks of these sizes into a book, and snapshots where the blocks of these numbers end."""
    builder = BlockBuilder()
    ledger, rows = Ledger(builder=builder), book.rows()
    for number, size in enumerate(sizes):
        taken = list(islice(rows, size))
        for row in taken:
            ledger.fold(recorded(row))
        if len(taken) < size:
            return
        head = Head(ledger.standing.seq, book.chain_at(ledger.standing.seq) or b"")
        block = builder.seal(ledger.standing, chain=head.chain, unsettled=ledger.requests)
        book.sealed[FOLD_VERSION, block.first_seq] = block
        if number in snapshots:
            book.snapshots[FOLD_VERSION, head.seq] = dump(ledger, head)


def assert_same(found: Ledger, wanted: Ledger) -> None:
    head = Head(0, b"")
    assert dump(found, head) == dump(wanted, head)  # Everything, in its order, that a snapshot holds.
    assert list(found.requests.items()) == list(wanted.requests.items())
    for name in type(wanted.standing).__slots__:
        if name != "lanes":
            assert getattr(found.standing, name) == getattr(wanted.standing, name), name
    assert found.standing.lanes.params == wanted.standing.lanes.params
    assert found.standing.lanes.policy == wanted.standing.lanes.policy


def forged(block: SealedBlock) -> SealedBlock:
    """A block of the same place in another log, in which nothing ever happened."""
    chain, records = bytes(32), bytes(len(block.records))
    header = block.header.replace(block.chain.hex().encode(), chain.hex().encode())
    return replace(block, chain=chain, header=header, records=records, digest=digest(header, records))


DAMAGES: dict[str, Any] = {
    "missing": lambda _: None,
    "of another log": forged,
    "flipped": lambda block: replace(block, records=bytes([block.records[0] ^ 1]) + block.records[1:]),
    "cut": lambda block: replace(block, records=block.records[:-48]),
    "of another fold": lambda block: replace(block, fold_version=FOLD_VERSION + 1),
    "told otherwise": lambda block: replace(block, header=block.header.replace(b'"mode":"', b'"mode":"x')),
    "in two": lambda block: replace(block, last_seq=block.last_seq - 1),
}
SIZES = st.lists(st.integers(1, 9), max_size=40)
HARMS = st.dictionaries(st.integers(0, 30), st.sampled_from(sorted(DAMAGES)), max_size=4)


def harm(book: Book, harms: dict[int, str]) -> None:
    """Damage the blocks of these numbers."""
    places = sorted(book.sealed)
    for number, how in harms.items():
        if number < len(places):
            harmed = DAMAGES[how](book.sealed.pop(places[number]))
            if harmed is not None:
                book.sealed[places[number]] = harmed


@tried_on(50, soak=3_000)
def test_what_can_be_trusted_and_the_tail_are_the_full_fold(examples: int) -> None:
    @hypothesis.settings(max_examples=examples)
    @hypothesis.given(logs(), SIZES, st.sets(st.integers(0, 30), max_size=2), HARMS, st.data())
    def holds(
        log: Sequence[Recorded], sizes: list[int], snapshots: set[int], harms: dict[int, str], data: st.DataObject
    ) -> None:
        book = book_of(log)
        seal(book, sizes=sizes, snapshots=sorted(snapshots))
        harm(book, harms)
        through = data.draw(st.sampled_from((None, *range(len(log) + 1))), label="through")
        assert_same(restore(book, through=through), folded(book, through=len(log) if through is None else through))

    holds()


@tried_on(50, soak=3_000)
def test_what_is_missing_is_made_anew_and_then_serves(examples: int) -> None:
    @hypothesis.settings(max_examples=examples)
    @hypothesis.given(logs(), SIZES, st.sets(st.integers(0, 30), max_size=2), HARMS)
    def holds(log: Sequence[Recorded], sizes: list[int], snapshots: set[int], harms: dict[int, str]) -> None:
        book = book_of(log)
        seal(book, sizes=sizes, snapshots=sorted(snapshots))
        harm(book, harms)
        restoration = Restoration(book, builder=BlockBuilder())
        began = restoration.seq
        assert began <= book.sealed_through(fold_version=FOLD_VERSION), "there would be a gap before it"
        for made in restoration.pieces():
            if made is not None:
                book.sealed[FOLD_VERSION, made.first_seq] = made
        ledger = restoration.ledger
        wanted = folded(book, through=len(log))
        assert_same(ledger, wanted)
        assert ledger.builder is not None
        if ledger.builder.records:
            last = ledger.builder.seal(ledger.standing, chain=book.head().chain, unsettled=ledger.requests)
            book.sealed[FOLD_VERSION, last.first_seq] = last
        covered = [one.last_seq for one in caches.trusted_blocks(book, after=began, through=len(log))]
        assert covered[-1:] == ([len(log)] if began < len(log) else [])
        book.snapshots.clear()
        assert_same(restore(book), wanted)

    holds()


@tried_on(50, soak=3_000)
def test_what_another_log_adds_up_to_is_never_trusted(examples: int) -> None:
    @hypothesis.settings(max_examples=examples)
    @hypothesis.given(logs(), logs(), SIZES, st.sets(st.integers(0, 30), max_size=2))
    def holds(log: Sequence[Recorded], other: Sequence[Recorded], sizes: list[int], snapshots: set[int]) -> None:
        book, foreign = book_of(log), book_of(other)
        seal(foreign, sizes=sizes, snapshots=sorted(snapshots))
        book.sealed, book.snapshots = foreign.sealed, foreign.snapshots
        assert_same(restore(book), folded(book, through=len(log)))

    holds()


SIZES_OF_THE_LONG = [9, *[8] * 8]
"""A block ends between two calls: its end needs no row."""


def long_telling() -> Telling:
    """Eighty events: a policy, calls one after another, and one that stays open."""
    telling = Telling()
    for number in range(1, 40):
        telling.call("transient" if number % 3 == 0 else "success", at=number * 10, country="us")
    telling.start(at=401)
    return telling


def forget_milestones(book: Book) -> None:
    book.sealed = {place: block for place, block in book.sealed.items() if not blocks.is_milestone(block)}


class Watched:
    """A reader that counts the rows that are read through it."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.read = 0

    def rows(self, *, after: int = 0, through: int | None = None) -> Iterator[Row]:
        for row in self._book.rows(after=after, through=through):
            self.read += 1
            yield row

    def row(self, seq: int) -> Row | None:
        return next(iter(self.rows(after=seq - 1, through=seq)), None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._book, name)


def rows_read(book: Book, *, through: int | None = None) -> int:
    reader: Any = Watched(book)
    assert_same(
        restore(reader, through=through), folded(book, through=len(book.events) if through is None else through)
    )
    return int(reader.read)


def test_with_blocks_and_no_snapshot_only_the_tail_is_read() -> None:
    book = book_of(long_telling().log)
    seal(book, sizes=SIZES_OF_THE_LONG)
    assert rows_read(book) == len(book.events) - 73


def test_without_milestones_blocks_serve_from_the_start_and_rows_where_they_are_missing() -> None:
    book = book_of(long_telling().log)
    seal(book, sizes=SIZES_OF_THE_LONG)
    forget_milestones(book)
    assert sorted(first_seq for _, first_seq in book.sealed) == [1, 10, 26, 42, 50, 66]
    assert rows_read(book) == 1 + 8 + 8 + 8 + len(book.events) - 73, "the policy, three blocks, and the tail"


def test_a_broken_milestone_is_passed_by_for_an_earlier_one() -> None:
    book = book_of(long_telling().log)
    seal(book, sizes=SIZES_OF_THE_LONG)
    milestones = [block for block in book.sealed.values() if blocks.is_milestone(block)]
    assert [block.last_seq for block in milestones] == [25, 41, 65]
    for first_seq in (1, 58):
        book.sealed[FOLD_VERSION, first_seq] = forged(book.sealed[FOLD_VERSION, first_seq])
    assert rows_read(book) == 8 + len(book.events) - 73, "beyond event 41, the broken block and the tail"


def test_a_milestone_whose_policy_is_not_to_be_read_is_passed_by() -> None:
    book = book_of(long_telling().log)
    seal(book, sizes=SIZES_OF_THE_LONG)
    block = book.sealed[FOLD_VERSION, 58]
    header = block.header.replace(b'"policy":{', b'"policy":{"of_another_version":1,')
    assert header != block.header
    book.sealed[FOLD_VERSION, 58] = replace(block, header=header, digest=digest(header, block.records))
    assert_same(restore(book), folded(book, through=len(book.events)))


@pytest.mark.parametrize(("through", "block_before"), [(46, 41), (62, 57), (64, 57), (65, 65), (5, 0)])
def test_in_the_past_only_what_lies_between_a_block_and_the_instant_is_read(through: int, block_before: int) -> None:
    book = book_of(long_telling().log)
    seal(book, sizes=SIZES_OF_THE_LONG, snapshots=[7])
    assert rows_read(book, through=through) == through - block_before


def test_a_block_within_another_one_is_passed_by() -> None:
    book = book_of(long_telling().log)
    seal(book, sizes=SIZES_OF_THE_LONG)
    forget_milestones(book)
    wanted = rows_read(book)
    book.sealed[FOLD_VERSION, 45] = replace(book.sealed[FOLD_VERSION, 42], first_seq=45)
    assert rows_read(book) == wanted


def test_a_snapshot_beyond_the_last_block_does_not_keep_blocks_from_being_made() -> None:
    book = book_of(long_telling().log)
    seal(book, sizes=SIZES_OF_THE_LONG, snapshots=[8])
    del book.sealed[FOLD_VERSION, 66]
    assert (restore(book).standing.seq, Restoration(book).seq) == (80, 73)
    assert Restoration(book, builder=BlockBuilder()).seq == 65


def test_a_block_that_is_whole_and_yet_wrong_leads_to_the_rows() -> None:
    book = book_of(long_telling().log)
    seal(book, sizes=[9])
    block = book.sealed[FOLD_VERSION, 1]
    header = block.header.replace(b'"calls":[]', b'"calls":[[1,0]]')
    assert header != block.header
    book.sealed[FOLD_VERSION, 1] = replace(block, header=header, digest=digest(header, block.records))
    assert rows_read(book) == len(book.events) + 2, "the policy, what should be a call, and then everything"


def test_a_row_that_a_block_needs_and_that_is_missing_leads_to_the_rows() -> None:
    book = book_of(long_telling().log)
    seal(book, sizes=SIZES_OF_THE_LONG)
    forget_milestones(book)
    holed: Any = Watched(book)
    holed.rows = lambda *, after=0, through=None: book.rows(after=max(after, 1), through=through)
    found, wanted = restore(holed), Ledger()
    for row in book.rows(after=1):
        wanted.fold(recorded(row))
    assert_same(found, wanted)


def test_rows_that_are_missing_before_a_block_leave_it_unused() -> None:
    book = book_of(long_telling().log)
    seal(book, sizes=SIZES_OF_THE_LONG)
    book.sealed.pop((FOLD_VERSION, 1))
    forget_milestones(book)
    holed: Any = Watched(book)
    holed.rows = lambda *, after=0, through=None: (
        row for row in book.rows(after=after, through=through) if row.seq != 9
    )
    found, wanted = restore(holed), Ledger()
    for row in holed.rows():
        wanted.fold(recorded(row))
    assert_same(found, wanted)


def test_a_snapshot_that_is_no_standing_is_passed_by() -> None:
    book = book_of(long_telling().log)
    seal(book, sizes=[9], snapshots=[0])
    content = b"\n" + b"no standing"
    (place,) = book.snapshots
    chain = book.snapshots[place].chain
    whole = sha256(content).digest() + content
    book.snapshots[place] = Snapshot(fold_version=FOLD_VERSION, seq=9, chain=chain, content=whole)
    assert rows_read(book) == len(book.events) - 9 + 1


def test_progress_is_told_up_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.engine.restore.ROWS_A_PIECE", 10)
    book: LogReader = book_of(long_telling().log)
    heard: list[tuple[int, int]] = []
    restore(book, progress=lambda done, total: heard.append((done, total)))
    end = book.head().seq
    assert heard == [(done, end) for done in range(10, end + 1, 10)]
