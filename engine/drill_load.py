"""Load: requests of a declared `read` operation, so many a second, as real as any, and always behind real ones.

A request that nobody may serve at once is left out, so that none ever waits for a limit; as soon as anybody else waits,
the load ends.
"""

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from understudy.engine.columns import columns_in
from understudy.engine.drill_commands import ended
from understudy.engine.eligibility import asking, is_eligible, verdict
from understudy.engine.errors import EngineClosed, RequestError
from understudy.events.drills import DrillEnd, DrillStarted
from understudy.events.errors import LogUnavailable
from understudy.events.requests import RequestAccepted
from understudy.events.vocabulary import Effect
from understudy.projections.standing import Standing

if TYPE_CHECKING:
    from understudy.engine.engine import Engine
    from understudy.engine.runner import Runner

PRINCIPAL: Final = "drill:"
"""What the principal of its requests begins with; the drill's id follows."""
MOST_AT_ONCE: Final = 500
"""Requests of a load that are under way at once."""


async def hold(runner: "Runner", engine: "Engine", drill: DrillStarted) -> None:
    """Send requests, evenly, until the load is over or in somebody's way."""
    journal, standing = runner.journal, runner.journal.ledger.standing
    since_us, number = drill.until_us - drill.for_us, 0
    while drill.drill in standing.courses:
        if _in_the_way(runner):
            journal.note(ended(drill, DrillEnd.GAVE_WAY, reason="others were waiting"))
            return
        now_us = journal.now_us()
        if _has_room(runner, drill, now_us):
            runner.spawn(_ask(engine, drill), name=f"load of {drill.drill}")
        # What could not be sent in time is left out: there are no bursts.
        number = max(number, _due(drill, now_us - since_us)) + 1
        due_us = since_us + int(number * 1_000_000 / (drill.per_second or 1))
        if due_us >= drill.until_us:
            return
        await journal.system.sleep_until(due_us)


def _due(drill: DrillStarted, spent_us: int) -> int:
    return int(spent_us * (drill.per_second or 1)) // 1_000_000


def _in_the_way(runner: "Runner") -> bool:
    """Whether any request waits that is not of a load."""
    requests = runner.journal.ledger.requests
    waiting = (requests.get(request_id) for request_id in runner.line.who)
    return any(one is not None and not is_of_a_load(one.progress.accepted) for one in waiting)


def is_of_a_load(accepted: RequestAccepted) -> bool:
    """Whether a request is one that a load has made up."""
    return accepted.principal.startswith(PRINCIPAL)


def _has_room(runner: "Runner", drill: DrillStarted, now_us: int) -> bool:
    requests, standing = runner.journal.ledger.requests, runner.journal.ledger.standing
    own = sum(1 for one in requests.values() if is_of_a_load(one.progress.accepted))
    return own < MOST_AT_ONCE and _somebody_serves(standing, drill, now_us)


def _somebody_serves(standing: Standing, drill: DrillStarted, now_us: int) -> bool:
    asked = RequestAccepted(
        request_id="",
        operation=drill.operation or "",
        effect=Effect.READ,
        deadline_at_us=now_us + standing.policy.deadline_ms * 1000,
        **columns_in(drill.context or {}),
    )
    about = asking(standing, asked, tried=(), since_us=now_us, now_us=now_us)
    found = (
        verdict(standing, one, about, standing.serving_lane(one.id, about.context)) for one in standing.policy.providers
    )
    return any(is_eligible(name) for name, _ in found)


async def _ask(engine: "Engine", drill: DrillStarted) -> None:
    with suppress(RequestError, LogUnavailable, EngineClosed):  # What became of it is on record.
        await engine.call(
            drill.operation or "", context=drill.context, effect=Effect.READ, principal=f"{PRINCIPAL}{drill.drill}"
        )
