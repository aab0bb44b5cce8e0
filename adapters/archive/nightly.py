"""Archiving once a day while an engine runs, in a process of its own: the engine's loop has nothing to do with it."""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from understudy.adapters.archive.place import folder_for, try_out
from understudy.adapters.archive.settings import ArchiveSettings
from understudy.adapters.stores.archive_file import ArchiveUnusable
from understudy.engine.ports import System
from understudy.events.log import EventLog

logger = logging.getLogger("understudy.archive")

_COMMAND: Final = (sys.executable, "-c", "from understudy.adapters.cli.console import main; main()", "archive")
_NICER: Final = 10
"""How much less of the processor it wants than the engine."""


class NightlyArchive:
    """A chore of an engine: archives what is old, every day at the same time.

    What goes wrong raises the alert `chore_failed`: at the start where that can be known, else when it does. The engine
    goes on, and it is tried again the next day. The alert ends then, or at a start with no trouble in sight.
    """

    name = "archive"

    def __init__(self, settings: ArchiveSettings) -> None:
        self._settings = settings

    async def run(self, log: EventLog, system: System, report: Callable[[str | None], None]) -> None:
        """Archive day by day, until cancelled."""
        if log.file is None:
            report("nothing will be archived: the log is in memory")
            return
        path = Path(log.file)
        trouble = await asyncio.to_thread(self._trouble, path)
        report(None if trouble is None else f"{path} will not be archived at its time: {trouble}")
        while True:
            await system.sleep_until(self._settings.next_us(system.now_us()))
            report(await self.archive_once(path))

    async def archive_once(self, path: Path) -> str | None:
        """Archive what is old now; tells what went wrong. Cancelled, it ends the process, which loses nothing."""
        to = () if self._settings.to is None else ("--to", str(self._settings.to))
        words = (str(path), "--older-than", f"{self._settings.older_than_ms}ms", *to, "--json")
        by = ("--actor", "engine", "--reason", "retention, as configured")
        try:
            process = await asyncio.create_subprocess_exec(
                *_COMMAND, *words, *by, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
            )
        except OSError as error:
            return f"{path} has not been archived: {error}; it is tried again tomorrow"
        try:
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, process.pid, _NICER)
            told, complaint = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            said = complaint.decode(errors="replace").strip().removeprefix("Error: ")
            return f"{path} has not been archived, or not all of it: {said}; it is tried again tomorrow"
        found = json.loads(told)
        logger.info("%s events of %s are archived, up to event %s", found["events"], path, found["archived_through"])
        return None

    def _trouble(self, path: Path) -> str | None:
        """What can be known to go wrong before it is time; None if nothing can."""
        if find_spec("pyarrow") is None:
            return 'pyarrow is not installed: pip install "understudy[archive]"'
        try:
            try_out(folder_for(path, self._settings.to))
        except ArchiveUnusable as error:
            return str(error)
        return None
