"""What the runner needs from outside the rules: time, dice, ids and identity. All of it ends up in events."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from understudy.events.log import EventLog


class Identity(NamedTuple):
    """Who writes: the version of Understudy and of Python, and the writer's name (`host:pid`)."""

    version: str
    python: str
    writer: str


class System(Protocol):
    """The clock, the dice and the source of ids of one engine."""

    def now_us(self) -> int:
        """Engine time: microseconds since 1970 UTC, never running backward."""

    def draw(self) -> int:
        """A roll of the dice: an integer from 0 below 2^31."""

    def new_id(self) -> str:
        """A request id: unique, and ordered by time."""

    def identity(self) -> Identity:
        """Who writes."""

    def clock_step_us(self) -> int:
        """How far the wall clock has been set away from engine time since the last look; 0 if it has not."""

    def start_after(self, at_us: int) -> None:
        """Do not let engine time fall behind an instant that the log has seen."""

    def reanchor(self, step_us: int) -> None:
        """Move engine time by a step of the wall clock."""

    async def sleep_until(self, at_us: int) -> None:
        """Wait for an instant of engine time."""

    async def next_look(self, every_us: int) -> None:
        """Wait until what others do is worth another look: set the clock, send a command, take the disk away.

        That is `every_us`, or never where there is nobody else.
        """


class Chore(Protocol):
    """Something that is done beside serving for as long as an engine runs. `name` says what, in a word."""

    @property
    def name(self) -> str:
        """Which it is."""

    async def run(self, log: EventLog, system: System, report: Callable[[str | None], None]) -> None:
        """Do it until cancelled, which must pass on promptly.

        What goes wrong is not raised: `report` is told of it in a sentence, which raises the alert `chore_failed`, and
        told None as soon as it is well again.
        """


def check_log(log: object) -> None:
    """Refuse what cannot be a log, the name of a file above all, before the start finds out.

    Errors: TypeError, saying what would be right.
    """
    if isinstance(log, str) or hasattr(log, "__fspath__"):
        raise TypeError(f"log is the name of a file, not a log; pass SqliteLog({str(log)!r})")
    if isinstance(log, type) or not callable(getattr(log, "durable", None)):
        raise TypeError(f"log is {log!r}, and that is no log; pass SqliteLog('calls.db') or MemoryLog()")
