"""Carries a round of quotes out: asks, listens to all at once, and gives up those who are not waited for any more."""

import asyncio

from understudy.engine import steps
from understudy.engine.calling import Caller
from understudy.engine.quoting import ask_on
from understudy.engine.request_state import Quoting
from understudy.engine.ticket import Ticket

_Asking = set[asyncio.Task[object]]


async def take_quotes(caller: Caller, ticket: Ticket) -> None:
    """Have quotes asked for until the rules want something else; whoever is given up has that on record then."""
    journal = caller.journal
    asking = _Asking()
    try:
        while isinstance(state := journal.ledger.requests[ticket.request_id], Quoting):
            now_us = journal.now_us()
            match ask_on(state, journal.ledger.standing, now_us=now_us):
                case steps.TakeQuote(event=call):
                    asking.add(asyncio.create_task(caller.quote(call, ticket, now_us), name=f"ask {call.provider}"))
                case steps.AwaitQuotes(until_us=until_us):
                    await _listen(asking, None if until_us is None else max(0, until_us - now_us))
                case _:
                    return
    finally:
        await _give_up(asking)


async def _listen(asking: _Asking, left_us: int | None) -> None:
    """Wait for the next answers, or give up waiting after so long."""
    left_s = None if left_us is None else left_us / 1_000_000
    ended, _ = await asyncio.wait(asking, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
    for one in ended:
        asking.discard(one)
        one.result()  # A provider's failure is on record; what is raised here is ours.
    if not ended:
        await _give_up(asking)


async def _give_up(asking: _Asking) -> None:
    """Ask no more; each of them puts on record that it was given up."""
    for one in asking:
        one.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    asking.clear()
