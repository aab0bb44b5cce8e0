"""Any sequence of appends, reads, claims, snapshots and restarts: every log tells the same as a plain list would."""

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from stores.samples import NOON, MemoryStore, SqliteStore, Store, assert_whole, claim, facts

from examples import tried_on
from understudy.events.codec import encode
from understudy.events.fact import Fact
from understudy.events.log import ClaimKey, SideWrite, Snapshot, StoreSensitive, TakeCommand

if TYPE_CHECKING:
    from understudy.events.row import Row

KEYS = st.sampled_from(["a", "b"])


class LogMachine(RuleBasedStateMachine):
    """A log beside a model made of a list and three dictionaries."""

    make_store: ClassVar[type[MemoryStore | SqliteStore]]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp())
        self.store: Store = self.make_store(self.folder)
        self.log = self.store.log()
        self.runner.run(self.log.open("machine"))
        self.rows: list[Row] = []
        self.claims: dict[str, ClaimKey] = {}
        self.inbox: list[tuple[int, str]] = []
        self.sensitive: dict[str, str] = {}
        self.snapshots: list[Snapshot] = []
        self.now_us = NOON

    def teardown(self) -> None:
        self.runner.run(self.log.close())
        self.runner.close()
        shutil.rmtree(self.folder)

    def append(self, event: Fact, *side: SideWrite) -> None:
        async def in_loop() -> None:
            self.log.append(event, at_us=self.now_us, side=side)

        self.rows.append(encode(event, seq=len(self.rows) + 1, at_us=self.now_us))
        self.runner.run(in_loop())

    @rule(length_us=st.integers(min_value=0, max_value=50))
    def time_passes(self, length_us: int) -> None:
        self.now_us += length_us

    @rule(events=st.lists(facts(), min_size=1, max_size=5))
    def append_some(self, events: list[Fact]) -> None:
        for event in events:
            self.append(event)

    @rule(event=facts())
    def append_many(self, event: Fact) -> None:
        for _ in range(150):
            self.append(event)

    @rule(event=facts(), key=KEYS, length_us=st.integers(min_value=0, max_value=60))
    def append_with_a_claim(self, event: Fact, key: str, length_us: int) -> None:
        made = claim(key, request_id=f"r{len(self.rows)}", expires_at_us=self.now_us + length_us)
        held = self.claims.get(key)
        if held is None or held.expires_at_us <= self.now_us:
            self.claims[key] = made
        self.append(event, made)

    @rule(event=facts(), token=KEYS, value=st.text(st.characters(exclude_categories=["Cs"]), max_size=5))
    def append_with_a_sensitive_value(self, event: Fact, token: str, value: str) -> None:
        self.sensitive[token] = value
        self.append(event, StoreSensitive(token=token, subject="s", value=value))

    @rule(body=st.text(st.characters(exclude_categories=["Cs"]), max_size=5))
    def put_command(self, body: str) -> None:
        self.inbox.append((self.store.put_command(body), body))

    @rule(event=facts(), which=st.integers(min_value=0, max_value=3))
    def take_a_command(self, event: Fact, which: int) -> None:
        if which < len(self.inbox):
            command_id, _ = self.inbox.pop(which)
            self.append(event, TakeCommand(command_id=command_id))

    @rule()
    def wait_until_durable(self) -> None:
        async def in_loop() -> None:
            await self.log.durable(len(self.rows))

        self.runner.run(in_loop())
        assert self.log.pending == 0

    @rule(content=st.binary(max_size=5))
    def save_snapshot(self, content: bytes) -> None:
        head = self.log.head
        saved = Snapshot(fold_version=1, seq=head.seq, chain=head.chain, content=content)
        self.runner.run(self.log.save_snapshot(saved))
        self.snapshots = [*[one for one in self.snapshots if one.seq != head.seq][-3:], saved]

    @rule()
    def start_anew(self) -> None:
        self.runner.run(self.log.close())
        self.log = self.store.log()
        self.runner.run(self.log.open("machine"))

    @rule(key=KEYS)
    def ask_for_a_claim(self, key: str) -> None:
        held = self.runner.run(self.log.claim(principal="p", operation="rent", key=key, at_us=self.now_us))
        model = self.claims.get(key)
        assert held == (model if model is not None and model.expires_at_us > self.now_us else None)

    @rule()
    def ask_beside_the_events(self) -> None:
        assert self.runner.run(self.log.commands()) == self.inbox
        assert self.runner.run(self.log.reveal(["a", "b"])) == self.sensitive

    @rule(event=facts())
    def ask_for_a_request(self, event: Fact) -> None:
        wanted = next((row.request_id for row in reversed(self.rows) if row.request_id), "nobody")
        assert self.runner.run(self.log.request_rows(wanted)) == [row for row in self.rows if row.request_id == wanted]

    @rule(back=st.integers(min_value=0, max_value=4), at_us=st.integers(min_value=NOON - 1, max_value=NOON + 200))
    def read(self, back: int, at_us: int) -> None:
        self.wait_until_durable()
        with self.log.reader() as reader:
            assert assert_whole(reader) == len(self.rows)
            after = max(0, len(self.rows) - back)
            assert list(reader.rows(after=after)) == self.rows[after:]
            assert reader.seq_at(at_us=at_us) == sum(row.at_us <= at_us for row in self.rows)
            assert reader.seq_at(position=len(self.rows)) == len(self.rows)
            assert reader.snapshot(fold_version=1) == (self.snapshots[-1] if self.snapshots else None)
            through = self.snapshots[0].seq if self.snapshots else 0
            assert reader.snapshot(fold_version=1, through=through - 1) is None

    @invariant()
    def the_head_is_where_the_model_ends(self) -> None:
        assert self.log.head.seq == len(self.rows)
        assert 0 <= self.log.pending <= len(self.rows)


class MemoryMachine(LogMachine):
    make_store = MemoryStore


class SqliteMachine(LogMachine):
    make_store = SqliteStore


@tried_on(12, soak=500)
@pytest.mark.parametrize("machine", [MemoryMachine, SqliteMachine])
def test_a_log_tells_what_it_was_told(machine: type[LogMachine], examples: int) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=25, deadline=None))
