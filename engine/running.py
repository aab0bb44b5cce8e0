"""The engines at work in this process, for a program that has one and does not want to hand it round."""

import asyncio
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from understudy.engine.errors import EngineClosed

if TYPE_CHECKING:
    from understudy.engine.engine import Engine

_AT_WORK: Final["WeakKeyDictionary[Engine, asyncio.AbstractEventLoop]"] = WeakKeyDictionary()


def entered(engine: "Engine") -> None:
    """An engine has started, on the running loop."""
    _AT_WORK[engine] = asyncio.get_running_loop()


def left(engine: "Engine") -> None:
    """An engine is about to stop."""
    _AT_WORK.pop(engine, None)


def the_engine_for(operation: str) -> "Engine":
    """The one engine on the running loop that was given an operation of this name.

    Errors: EngineClosed if there is none; ValueError if there are several: only the caller knows the right one.
    """
    loop = asyncio.get_running_loop()
    found = [one for one, its in list(_AT_WORK.items()) if its is loop and one.declares(operation)]
    if not found:
        raise EngineClosed(f"no engine with the operation {operation!r} is running here; start one, or pass engine=…")
    if len(found) > 1:
        raise ValueError(f"{len(found)} engines with the operation {operation!r} are running here; pass engine=…")
    return found[0]
