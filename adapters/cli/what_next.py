"""The commands that a simulation advises next, so that they can be typed as they stand."""

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Final

from understudy.adapters.cli.exits import Refused
from understudy.adapters.cli.find_request import LAST, LAST_FAILOVER, last_failover
from understudy.adapters.cli.output import note
from understudy.events.log import LogReader

_NAME: Final = "understudy"


def say_what_next(path: Path, reader: LogReader, *, failovers: int) -> None:
    """Advise what to look at in the log that has just been written."""
    log, command = shlex.quote(str(path)), own_name(sys.argv[0])
    request = LAST_FAILOVER if failovers and _any_served_after_one(reader) else LAST
    note("\nNext:")
    for words in (f"status {log}", f"explain {log} {request}", f"verify {log}"):
        note(f"  {command} {words}")


def own_name(script: str) -> str:
    """How the running command can be called: by its name where that is on PATH, else by the path of its script."""
    if shutil.which(_NAME) or Path(script).name != _NAME or not Path(script).is_file():
        return _NAME
    path = os.path.relpath(script)
    if path.startswith(os.pardir):
        path = str(Path(script).absolute())
    return shlex.quote(path if os.sep in path else f".{os.sep}{path}")


def _any_served_after_one(reader: LogReader) -> bool:
    """Whether there is something to explain: the failovers may all have been of requests that failed in the end."""
    try:
        last_failover(reader)
    except Refused:
        return False
    return True
