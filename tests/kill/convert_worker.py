"""Converts payouts until all are done or it is killed, and says of each what its caller was told.

    python -m kill.convert_worker CONFIG DATABASE PAYOUTS

Each payout has an amount of its own, by which the services' books tell it. One that surely was not executed is asked
for anew, under another key; a key that an earlier worker has used joins what became of that.
"""

import asyncio
import sys
from decimal import Decimal
from pathlib import Path

from kill.callers import say

from understudy.adapters import SqliteLog
from understudy.adapters.conversion import MultiServiceConverter
from understudy.engine import OutcomeUnknown, RequestError

ADDRESS = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
CALLERS = 16
TRIES = 30
PATIENCE = 100


async def main() -> None:
    config, database, payouts = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    async with MultiServiceConverter.from_file(config, log=SqliteLog(database), watch=False) as converter:
        say("open")
        left = iter(range(payouts))
        async with asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(_convert_all(converter, left))
        while converter.engine.unsettled and not _only_held(converter):  # noqa: ASYNC110 - it settles by itself.
            await asyncio.sleep(0.01)
    say("end")


def _only_held(converter: MultiServiceConverter) -> bool:
    """Whether nothing is left but what only an operator can settle: there is no look-up."""
    return all(not one.has_lookup for one in converter.policy.providers)


async def _convert_all(converter: MultiServiceConverter, left: "object") -> None:
    for number in left:  # type: ignore[attr-defined]
        say(f"told {number} {await _convert(converter, number)}")


async def _convert(converter: MultiServiceConverter, number: int) -> str:
    amount = Decimal(1) + Decimal(number) / 1_000_000
    for attempt in range(TRIES):
        for _ in range(PATIENCE):
            try:
                await converter.convert(
                    from_coin="ETH",
                    to_coin="BTC",
                    amount=amount,
                    address=ADDRESS,
                    idempotency_key=f"payout-{number}-{attempt}",
                )
            except OutcomeUnknown:
                if _only_held(converter):
                    return "held"
                await asyncio.sleep(0.02)  # It is looked up; the same key tells how it ended.
            except RequestError:
                break
            else:
                return "served"
        else:
            return "held"
    return "refused"


asyncio.run(main())
