"""Where a start waits for the ledger: it is folded piece by piece, and between two pieces others have their turn."""

import asyncio
import logging
from typing import Final

from understudy.engine.ledger import Ledger
from understudy.engine.restore import Restoration
from understudy.events.log import EventLog
from understudy.projections.block import BlockBuilder

logger = logging.getLogger("understudy.opening")

MANY_ROWS: Final = 500_000
"""Reading so many rows takes ten seconds: whoever waits for the start is told why."""


async def ledger_of(log: EventLog) -> Ledger:
    """The ledger at the end of a log, which is open; blocks that are missing are made on the way, if the log lasts.

    Errors: LogUnavailable; UnreadableEvent if an event that it builds on cannot be read. May be cancelled: blocks that
            were made are kept.
    """
    with log.reader() as reader:
        restoration = Restoration(reader, builder=BlockBuilder() if log.lasting else None)
        if restoration.rows_ahead >= MANY_ROWS:
            logger.warning(
                "%s events of the log must be folded anew, which may take minutes: neither snapshots nor sealed blocks"
                " of this version cover them",
                f"{restoration.rows_ahead:,}",
            )
        for made in restoration.pieces():
            if made is not None:
                await log.save_block(made)
            await asyncio.sleep(0)
        return restoration.ledger
