"""What every simulation is given from outside: a log, a way to verify it, and whom to tell of its progress."""

from collections.abc import Callable
from typing import Final, Protocol

from understudy.engine import errors
from understudy.engine.errors import ProviderError
from understudy.events.errors import UnderstudyError
from understudy.events.log import EventLog, LogReader
from understudy.events.vocabulary import FailureKind
from understudy.replay.report import Verified


class SimulationError(UnderstudyError):
    """A simulation cannot be run as it was asked for; the message says what is wrong with what."""


class SimulatedLog(EventLog, Protocol):
    """A log that can tell whether its thread is at work, so that virtual time can stand still meanwhile."""

    @property
    def busy(self) -> bool:
        """Whether a thread of the store owes the loop a report."""


Verify = Callable[[LogReader], Verified]
"""Recomputes every decision of a log; a function, because simulations need not know how."""
Progress = Callable[[int, int], None]
"""Told of requests that have ended, and of how many there will be."""

ERRORS: Final = {
    error.kind: error
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, ProviderError) and error is not ProviderError
}
"""The error that a provider raises for each failure kind."""


def error_of(kind: FailureKind, message: str, *, retry_after_ms: int | None = None) -> ProviderError:
    """An error of a kind, as a provider raises it. It failed on the network if nobody answered."""
    return ERRORS[kind](message, retry_after_ms=retry_after_ms)


def verified(log: EventLog, verify: Verify | None) -> Verified | None:
    """What verifying the log finds; None if nobody can tell."""
    if verify is None:
        return None
    with log.reader() as reader:
        return verify(reader)
