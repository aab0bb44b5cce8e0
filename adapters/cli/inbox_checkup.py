"""Whether commands wait in the inbox of a log, and whether whoever owns it takes them."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from understudy.adapters.cli.finding import Finding, Verdict
from understudy.adapters.stores.inbox import commands_waiting
from understudy.events.counted import counted

PATIENCE_S: Final = 2.0
"""For how long an engine that reads its inbox twice a second is given time to do so."""
_LOOK_AGAIN_S: Final = 0.1


def inbox_found(db: Path, *, owner: str | None) -> Iterator[Finding]:
    """What is found of the commands that wait. Beside an engine it takes `PATIENCE_S` if they are not taken."""
    first = {command.command_id for command in commands_waiting(db)}
    left = _left_after_a_while(db, first) if owner is not None else first
    if not left:
        yield Finding("inbox", Verdict.FINE, "no command waits")
        return
    wait = counted(len(left), "command waits", "commands wait")
    if owner is None:
        yield Finding("inbox", Verdict.ADVICE, f"{wait}; taken at the next start, or with the next command")
        return
    why = "its process is stopped, or its event loop is held up, or it was made with watch=False"
    says = f"{wait}, and the engine that owns the log has not taken them for {PATIENCE_S:g} s: {why}"
    yield Finding("inbox", Verdict.WRONG, says)


def _left_after_a_while(db: Path, first: set[int]) -> set[int]:
    """Which of these commands still wait once an engine has had time for them."""
    left, until_s = set(first), time.monotonic() + PATIENCE_S
    while left and time.monotonic() < until_s:
        time.sleep(_LOOK_AGAIN_S)
        left &= {command.command_id for command in commands_waiting(db)}
    return left
