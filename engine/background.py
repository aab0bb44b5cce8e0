"""What the engine does besides serving: pings, lists of what is on offer, the inbox, a look at the wall clock."""

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from understudy.engine import drilling
from understudy.engine.commands import Probe, RecordSegment, Resolve, SetPreferences, Sync, Wish, obey
from understudy.engine.drill_commands import StartDrill, StopDrill
from understudy.engine.errors import EngineClosed, ProviderError
from understudy.engine.messenger import Messenger
from understudy.engine.offers import SYNC, next_sync_us
from understudy.engine.pinging import next_ping_us
from understudy.engine.runner import Runner
from understudy.events.errors import LogUnavailable
from understudy.events.operations import ClockStepped
from understudy.events.policy import ProviderSettings

if TYPE_CHECKING:
    from understudy.engine.engine import Engine

INBOX_US: Final = 500_000
"""How often the inbox is read, and the log asked how it is."""
CLOCK_STEP_US: Final = 1_000_000
"""A wall clock further off than this has been set."""


SWEPT_AT_ONCE: Final = 128
"""Archived rows that are removed in one go: a few milliseconds, for which a commit may have to wait."""
SWEEP_REST: Final = 3
"""How long commits have the store for themselves after some archived rows were removed, in lengths of that."""
SWEEP_REST_US: Final = 5_000
"""And at least so long."""


def start(runner: Runner, engine: "Engine", messenger: Messenger) -> None:
    """Start what runs until the engine stops."""
    runner.spawn(_watch_log(runner, messenger), name="watch log")
    runner.spawn(_watch(runner, engine), name="watch inbox and clock")
    drilling.skip_missed(runner.journal)
    runner.spawn(drilling.keep_schedule(runner), name="keep the schedule of drills")
    runner.spawn(_remove_archived(runner), name="remove archived rows")
    for settings in engine.policy.providers:
        if settings.has_ping:
            runner.spawn(_ping(runner, engine, settings.id), name=f"ping {settings.id}")
        if settings.has_sync:
            runner.spawn(_sync(runner, engine, settings), name=f"sync {settings.id}")


async def _watch_log(runner: Runner, messenger: Messenger) -> None:
    """See whether the log can be written; whoever asks it anything may have to wait for the answer."""
    system = runner.journal.system
    while True:
        await system.next_look(INBOX_US)
        messenger.look_at_the_log()


async def _watch(runner: Runner, engine: "Engine") -> None:
    journal = runner.journal
    while True:
        await journal.system.next_look(INBOX_US)
        step_us = journal.system.clock_step_us()
        if abs(step_us) > CLOCK_STEP_US and not journal.ledger.requests and not journal.ledger.standing.calls:
            # Not while anything is open: its deadlines, and what a provider needs to settle, are real lengths of time.
            journal.system.reanchor(step_us)
            journal.note(ClockStepped(step_us=step_us))
        try:
            commands = await journal.log.commands()
        except LogUnavailable:
            continue  # Its cause is told to callers, who are refused meanwhile.
        for command in commands:
            wish = obey(journal, command)
            if wish is not None:
                heed(runner, engine, wish)


def heed(runner: Runner, engine: "Engine", wish: Wish) -> None:
    """Do at once what follows from a wish that has been put on record."""
    match wish:
        case Resolve(request_id=request_id):
            runner.wake(request_id)
        case RecordSegment():
            runner.spawn(_remove_archived(runner), name="remove archived rows")
        case Probe(provider=provider) if engine.policy.by_id[provider].has_ping:
            runner.spawn(_ask_once(engine, provider, "ping"), name=f"probe {provider}")
        case StartDrill() | StopDrill():
            drilling.attend(runner, engine)
        case SetPreferences():
            engine.follow_policy(runner.journal.ledger.standing.policy)
            runner.look_again()
        case Sync(provider=wanted):
            for one in engine.policy.providers:
                if one.has_sync and wanted in {None, one.id}:
                    runner.spawn(_ask_once(engine, one.id, SYNC), name=f"sync {one.id} at once")
        case _:
            runner.look_again()


async def _ask_once(engine: "Engine", provider: str, what: str) -> None:
    with suppress(ProviderError, LogUnavailable, EngineClosed):  # It is on record; the regular ones go on by that.
        await engine.ask(provider, what)


async def _remove_archived(runner: Runner) -> None:
    """Remove the rows that are on record as archived: a few at a time, so that commits hardly notice."""
    journal = runner.journal
    more = True
    while more:
        began_us = journal.system.now_us()
        try:
            await journal.log.durable(journal.log.head.seq)
            more = await journal.log.remove_archived(most=SWEPT_AT_ONCE)
        except LogUnavailable:
            await journal.system.sleep_until(began_us + INBOX_US)
            continue
        now_us = journal.system.now_us()
        await journal.system.sleep_until(now_us + max(SWEEP_REST_US, SWEEP_REST * (now_us - began_us)))


async def _sync(runner: Runner, engine: "Engine", settings: ProviderSettings) -> None:
    """Ask for the list of all that a provider has on offer whenever it is due."""
    journal = runner.journal
    while True:
        now_us = journal.now_us()
        due_us = next_sync_us(journal.ledger.standing, settings, now_us)
        if due_us > now_us:
            await journal.system.sleep_until(due_us)
            continue
        with suppress(ProviderError):  # It is on record; the next list is due by that.
            try:
                await engine.ask(settings.id, SYNC)
            except LogUnavailable:
                await journal.system.sleep_until(now_us + engine.policy.recovery_time_ms * 1000)
            except EngineClosed:
                return


async def _ping(runner: Runner, engine: "Engine", provider: str) -> None:
    journal = runner.journal
    interval_us = engine.policy.ping_interval_ms * 1000
    settings = next(one for one in engine.policy.providers if one.id == provider)
    while True:
        now_us = journal.now_us()
        due_us = next_ping_us(journal.ledger.standing, settings, now_us)
        if due_us > now_us:
            await journal.system.sleep_until(min(due_us, now_us + interval_us))
            continue
        try:
            await engine.ask(provider, "ping")
        except ProviderError:
            continue  # It is on record; the next ping is due by that.
        except LogUnavailable:
            await journal.system.sleep_until(now_us + interval_us)  # Nothing is asked that cannot be put on record.
        except EngineClosed:
            return
