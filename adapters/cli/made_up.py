"""Logs of what was only played: a simulation's and a demo's, to which nothing that moves money may be added."""

from pathlib import Path

from understudy.adapters.cli.exits import Refused
from understudy.adapters.demo.own_log import STREAM
from understudy.adapters.stores import SqliteReader
from understudy.events.codec import decode
from understudy.events.errors import NotALog
from understudy.events.log import LogReader
from understudy.events.operations import EngineStarted
from understudy.replay.virtual_system import SIMULATED


def expect_not_made_up(path: Path) -> None:
    """Refuse the log of a simulation or of a demo: its calls would be judged by, and stand among real ones.

    Errors: Refused, which says what the log is; LogUnavailable if it cannot be read.
    """
    if whose := _made_up_by(path):
        raise Refused(
            f"{path} is the log of a {whose}: what is in it is made up, and real quotes and conversions must not"
            " stand among that; name another file with --log, or remove this one"
        )


def _made_up_by(path: Path) -> str | None:
    """Who has made a log up; None where nobody has, or where there is none yet."""
    try:
        with SqliteReader.open(path) as reader:
            if _is_simulated(reader):
                return "simulation"
        with SqliteReader.open(path, stream=STREAM) as reader:  # Even if somebody has written to it since.
            return "demo" if reader.head().seq else None
    except NotALog:
        return None  # What is wrong with it, if anything, is told where it is opened to be written.


def _is_simulated(reader: LogReader) -> bool:
    """Whether a log begins as one of a simulation: on virtual time, which says so of itself."""
    first = next(iter(reader.operations(EngineStarted.kind)), None)
    event = None if first is None else decode(first)
    return isinstance(event, EngineStarted) and event.version == SIMULATED.version
