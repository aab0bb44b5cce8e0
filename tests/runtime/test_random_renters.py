"""Whatever shops and renters do: a number that stays rented is somebody's, and no renter has two for one request."""

import asyncio
from typing import Any

import hypothesis
from hypothesis import strategies as st
from shops import Shop

from understudy.adapters import MemoryLog
from understudy.adapters.rental import RENTALS, Rental, rent_number_with_failover
from understudy.engine import Ambiguous, Engine, Finding, Found, OutOfStock, Policy, RequestError, Transient
from understudy.replay.verify import verify
from understudy.replay.virtual_system import VirtualSystem
from understudy.replay.virtual_time import run_virtual

HIDDEN = "lost and hidden"
ACTS = st.lists(st.sampled_from((None, None, None, "busy", "sold out", "lost", HIDDEN)), max_size=8).filter(
    lambda acts: acts.count(HIDDEN) < 4
)
"""What a shop hides from every look-up there is, nobody can find: one before a request ends, and three after it."""
RENTERS = st.lists(
    st.tuples(st.integers(min_value=0, max_value=900), st.none() | st.integers(min_value=0, max_value=900)),
    min_size=1,
    max_size=6,
)
"""When each comes, and how long each has patience, in milliseconds; None for as long as it takes."""


def shop(name: str, acts: list[str | None]) -> Shop:
    """A shop that does these things, one a call; what is hidden it does not know of at first."""
    made = Shop(name)
    for act in acts:
        made.acts.append({"busy": Transient("busy"), "sold out": OutOfStock("none")}.get(act or ""))
        if made.acts[-1] is None:
            made.after.append(Ambiguous("reset") if act is not None else None)
        if act == HIDDEN:
            made.lookups.append(Found(finding=Finding.ABSENT))
    return made


async def renter(engine: Engine, *, after_ms: int, patience_ms: int | None) -> Rental | None:
    """Somebody who comes after a while, and has gone when they have been served too late."""
    await asyncio.sleep(after_ms / 1000)
    try:
        async with asyncio.timeout(None if patience_ms is None else patience_ms / 1000):
            return await rent_number_with_failover("us", "wa", engine=engine)
    except (RequestError, TimeoutError):
        return None


@hypothesis.given(ACTS, ACTS, RENTERS, st.sampled_from((0, 20_000)))
def test_a_number_that_stays_rented_is_somebodys(
    first: list[str | None], second: list[str | None], renters: list[tuple[int, Any]], runs_on_s: int
) -> None:
    shops, log = [shop("alpha", first), shop("beta", second)], MemoryLog()

    def engine() -> Engine:
        policy = Policy(retry_attempts=1, max_failures=99)
        system = VirtualSystem(seed=1)
        return Engine(providers=shops, log=log, policy=policy, operations=RENTALS, system=system, watch=False)

    async def act() -> list[Rental | None]:
        async with engine() as running:
            coming = [renter(running, after_ms=after_ms, patience_ms=each) for after_ms, each in renters]
            found = await asyncio.gather(*coming)
            await asyncio.sleep(runs_on_s)
        async with engine():
            await asyncio.sleep(20_000)
        return found

    rentals = [one for one in run_virtual(act(), busy=lambda: log.busy) if one is not None]
    held = {one.activation_id for one in rentals}
    assert len(held) == len(rentals)
    assert {one for each in shops for one, state in each.books.items() if state == "open"} == held
    with log.reader() as reader:
        assert verify(reader).ok
