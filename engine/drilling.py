"""Drills as they go: each ends in time, a chaos goes by its plan, and the schedule is kept."""

import logging
from typing import TYPE_CHECKING, Final

from understudy.engine import drill_commands, drill_load
from understudy.engine.chaos import Planned, plan
from understudy.engine.drill_commands import StartDrill, ended
from understudy.engine.drills import running
from understudy.engine.errors import InvalidRequest
from understudy.events.drill_schedule import scheduled
from understudy.events.drills import DrillEnd, DrillForm, DrillSkipped, DrillStarted

if TYPE_CHECKING:
    from understudy.engine.engine import Engine
    from understudy.engine.journal import Journal
    from understudy.engine.runner import Runner

logger = logging.getLogger("understudy.drills")

SCHEDULE: Final = "the schedule"
"""The actor of drills that are held by themselves."""
_MISSED: Final = "no engine was running when it was due"
_OVERSLEPT: Final = "the engine was not awake when it was due"
_LATE_US: Final = 60_000_000
"""A drill that is due may be held so late: those who expect it at its time must not meet it hours later."""


def attend(runner: "Runner", engine: "Engine | None" = None) -> None:
    """See to every drill that has begun and is not seen to yet, and let go what those hold back that are over."""
    journal = runner.journal
    edge = runner.caller.edge
    known = {drill.drill: drill for drill in running(journal.ledger.standing)}
    for gone in edge.attended - known.keys():
        edge.release(gone)
    for fresh in [known[one] for one in known if one not in edge.attended]:
        if fresh.form is DrillForm.CHAOS:
            runner.spawn(_go_by_plan(runner, fresh), name=f"plan of {fresh.drill}")
        if fresh.form is DrillForm.LOAD and engine is not None:
            runner.spawn(drill_load.hold(runner, engine, fresh), name=f"load of {fresh.drill}")
        runner.spawn(_see_out(runner, fresh), name=f"end of {fresh.drill}")
    edge.attended = set(known)
    runner.look_again()


def close(runner: "Runner") -> None:
    """End every drill, because the engine stops."""
    end_all(runner.journal, DrillEnd.ENGINE_STOPPED)
    attend(runner)


def end_all(journal: "Journal", cause: DrillEnd) -> None:
    """End every drill: the engine stops, or an earlier one has crashed."""
    for drill in running(journal.ledger.standing):
        journal.note(ended(drill, cause))


def skip_missed(journal: "Journal") -> None:
    """Put on record which drills of the schedule were due while no engine ran; they are not made up for."""
    standing = journal.ledger.standing
    for line in standing.policy.drill_schedule:
        due_us = scheduled(line).last_due_us(journal.now_us())
        if due_us > standing.drill_lines[line]:
            _skip(journal, line, due_us, _MISSED)


def _skip(journal: "Journal", line: str, due_us: int, reason: str) -> None:
    journal.note(DrillSkipped(line=line, due_us=due_us, reason=reason))
    logger.warning("a drill was skipped (%s): %s", line, reason)


async def _see_out(runner: "Runner", drill: DrillStarted) -> None:
    journal = runner.journal
    await journal.system.sleep_until(drill.until_us)
    for one in running(journal.ledger.standing):
        if drill.drill in {one.drill, one.part_of}:
            journal.note(ended(one, DrillEnd.OVER))
    attend(runner)


async def _go_by_plan(runner: "Runner", chaos: DrillStarted) -> None:
    journal, standing = runner.journal, runner.journal.ledger.standing
    since_us, for_ms = chaos.until_us - chaos.for_us, chaos.for_us // 1000
    providers = [one.id for one in standing.policy.providers]
    for planned in plan(chaos.seed, providers, for_ms=for_ms, at_once=chaos.at_once or 1):
        await journal.system.sleep_until(since_us + planned.at_ms * 1000)
        if chaos.drill not in standing.courses:
            return
        now_us = journal.now_us()
        _end_parts(journal, chaos, now_us)
        # Whoever begins late ends when he was to end all the same: else he would overlap with the next.
        left_ms = planned.at_ms + planned.for_ms + (since_us - now_us) // 1000
        if left_ms > 0:
            part = _part(planned._replace(for_ms=min(planned.for_ms, left_ms)), chaos)
            _start(runner, part, now_us=now_us, seed=planned.seed, part_of=chaos.drill)


def _end_parts(journal: "Journal", chaos: DrillStarted, now_us: int) -> None:
    """End the parts whose time is over, whether or not anybody has seen to it yet: the next begins in their place."""
    for one in running(journal.ledger.standing):
        if one.part_of == chaos.drill and one.until_us <= now_us:
            journal.note(ended(one, DrillEnd.OVER), at_us=now_us)


def _part(planned: Planned, chaos: DrillStarted) -> StartDrill:
    told = planned._asdict()
    del told["at_ms"]
    return StartDrill.model_validate({**told, "actor": chaos.actor, "reason": chaos.reason})


def _start(runner: "Runner", wish: StartDrill, *, now_us: int, seed: int, **more: object) -> str | None:
    """Hold a drill, if that is possible; else why it is not."""
    journal = runner.journal
    standing = journal.ledger.standing
    try:
        drill_commands.expect_possible(standing, wish)
    except InvalidRequest as error:
        logger.warning("%s of %s is not held: %s", wish.form, wish.provider, error)
        return str(error)
    journal.note(drill_commands.started(standing, wish, now_us=now_us, seed=seed, **more), at_us=now_us)
    attend(runner)
    return None


async def keep_schedule(runner: "Runner") -> None:
    """Hold the drills of the schedule, each when it is due."""
    journal, standing = runner.journal, runner.journal.ledger.standing
    while lines := standing.policy.drill_schedule:
        now_us = journal.now_us()
        due_us, line = min((scheduled(one).next_due_us(standing.drill_lines[one]), one) for one in lines)
        if due_us > now_us:
            await journal.system.sleep_until(due_us)
        elif now_us > due_us + _LATE_US:
            _skip(journal, line, due_us, _OVERSLEPT)
        else:
            _hold(runner, line, due_us)


def _hold(runner: "Runner", line: str, due_us: int) -> None:
    """Hold a drill that is due, or put on record why it is not held."""
    journal, told = runner.journal, scheduled(line)
    wish = StartDrill(
        form=told.form, provider=told.provider, for_ms=told.for_ms, actor=SCHEDULE, reason=f"as scheduled: {line}"
    )
    why_not = _start(runner, wish, now_us=journal.now_us(), seed=journal.system.draw(), line=line, due_us=due_us)
    if why_not is not None:
        _skip(journal, line, due_us, why_not)
