"""Drills: faults that we make up on purpose, to see what becomes of them: who wanted which, and how it ended."""

from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Final

from understudy.events.fact import Fact
from understudy.events.record import record


class DrillForm(StrEnum):
    """What a drill does."""

    OUTAGE = "outage"
    """A provider refuses every connection."""
    BROWNOUT = "brownout"
    """A share of the calls of a provider fails, and the others are held back for a while."""
    THROTTLE = "throttle"
    """A provider asks for patience."""
    FLAP = "flap"
    """A provider is out and back by turns."""
    CHAOS = "chaos"
    """Drills of the other forms at providers that the seed picks."""
    LOAD = "load"
    """Requests of a `read` operation, many a second: no fault is made up."""


FAULTS: Final = (DrillForm.OUTAGE, DrillForm.BROWNOUT, DrillForm.THROTTLE, DrillForm.FLAP)
"""The forms that concern one provider."""


class DrillEnd(StrEnum):
    """Why a drill ended."""

    OVER = "over"
    """Its time was over."""
    STOPPED = "stopped"
    """Somebody has stopped it."""
    ENGINE_STOPPED = "engine_stopped"
    CRASHED = "crashed"
    """Its engine was gone, as the next start found."""
    GAVE_WAY = "gave_way"
    """A load that was in the way of real requests."""


@record(kw_only=True)
class DrillStarted(Fact):
    """A drill has begun; it ends by a `DrillEnded` of the same `drill`, at `until_us` at the latest.

    Shape:  `drill` is its id, which the calls that it touches carry. `provider` is None for chaos and load.
            `part_of` is the chaos that it belongs to; `line` is the line of the schedule that it follows, and
            `due_us` when that was due. `operation`, `per_second` and `context` are what a load asks for.
    Units:  `share_bp` is the share of calls that fail, in basis points. The others are held back for `delay_us`.
            `every_us` is how long a flapping provider is out, and then how long it is back. `retry_after_us` is the
            pause that a throttle asks for. Which calls fail is derived from `seed`.
    Source: an operator's command, the schedule, or a chaos.
    """

    kind: ClassVar[str] = "drill_started.v1"
    drill: str
    form: DrillForm
    provider: str | None = None
    for_us: int
    until_us: int
    seed: int
    share_bp: int = 10_000
    delay_us: int = 0
    every_us: int = 0
    retry_after_us: int = 0
    at_once: int | None = None
    part_of: str | None = None
    line: str | None = None
    due_us: int | None = None
    operation: str | None = None
    per_second: Decimal | None = None
    context: dict[str, str] | None = None
    actor: str
    reason: str


@record(kw_only=True)
class DrillEnded(Fact):
    """A drill is over: from here on its provider stands as if no call had been touched."""

    kind: ClassVar[str] = "drill_ended.v1"
    drill: str
    form: DrillForm
    provider: str | None = None
    cause: DrillEnd
    actor: str | None = None
    reason: str | None = None


@record(kw_only=True)
class DrillSkipped(Fact):
    """A drill of the schedule was due, and was not held; `line` is the line of the schedule."""

    kind: ClassVar[str] = "drill_skipped.v1"
    line: str
    due_us: int
    reason: str
