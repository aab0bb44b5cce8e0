"""A provider that behaves as its script says, on the loop's clock, and keeps books of its own.

The books are what a test believes when it asks whether anything was executed twice: they know nothing of our log.
"""

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Final

from understudy.engine.errors import OutOfStock, ProviderError, RateLimited, Transient
from understudy.engine.parts import CREATE
from understudy.engine.provider import Deadline, Found, Offer, Reply, Request
from understudy.events.quotes import Quote
from understudy.events.vocabulary import FailureKind, Finding
from understudy.replay import rolls
from understudy.replay.market import Market
from understudy.replay.report import Tally
from understudy.replay.runs import error_of
from understudy.replay.scenario import Outage, Phase, Script
from understudy.replay.scripted_quotes import ScriptedQuotes

MAYBE_EXECUTED: Final = frozenset({FailureKind.TIMED_OUT, FailureKind.AMBIGUOUS, FailureKind.INVALID_REPLY})
_FOREVER_S: Final = 10**7
_SECOND_US: Final = 1_000_000


@dataclass(slots=True)
class Books:
    """What the provider itself has counted. Instants are seconds since the start.

    Shape:  `calls` holds when each serving call came in, `executions` by key when each execution happened;
            `executed_for` counts executions by request, `endings` calls by how they ended.
    """

    calls: list[Decimal] = field(default_factory=list)
    executions: dict[str, list[Decimal]] = field(default_factory=dict)
    executed_for: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    lookups: int = 0
    quotes: int = 0
    pings: int = 0
    lists: int = 0
    most_under_way: int = 0

    @property
    def executed_twice(self) -> list[str]:
        """The keys under which something was executed more than once."""
        return [key for key, times in self.executions.items() if len(times) > 1]

    def calls_between(self, from_s: float, until_s: float) -> int:
        """How many serving calls came in within a span."""
        return sum(from_s <= at_s < until_s for at_s in self.calls)


class ScriptedProvider:
    """A provider of a scenario. Its dice are its own, so that nobody else's calls change what it does."""

    def __init__(
        self,
        script: Script,
        *,
        seed: int,
        outages: tuple[Outage, ...] = (),
        tally: Tally | None = None,
        market: Market | None = None,
    ) -> None:
        """`tally` is told of each serving call; `outages` are the times when nobody can be reached.

        `market` is what it quotes by, if it quotes.
        """
        self.books = Books()
        self.settings = script.for_policy
        self.settle_ms = script.settle_ms
        self._script = script
        self._outages = outages
        self._tally = tally or Tally()
        self._dice = Random(f"{seed}/{script.id}")  # noqa: S311 - repeatable, not unguessable
        self._under_way = 0
        self._units = script.units
        self._last_second: deque[Decimal] = deque()
        self._references: dict[str, str] = {}
        self._paid: dict[str, Decimal | None] = {}
        self._quotes: ScriptedQuotes | None = None
        self.two_part = script.two_part
        if script.quotes is not None and market is not None:
            fees = self.settings.fees
            self._quotes = ScriptedQuotes(script.quotes, market, provider=script.id, fees=fees, seed=seed)
            self.quote = self._quote
        if script.ping:
            self.ping = self._ping
        if script.lookup:
            self.lookup = self._lookup
        if script.units is not None or script.listed_units is not None:
            self.stock = self._stock
        if script.offers:
            self.sync = self._sync
        self._prices = {(one.country, one.service): one.price for one in script.offers}

    @property
    def id(self) -> str:
        """The provider's name."""
        return self._script.id

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Reply:  # noqa: ARG002
        """Serve a call as the phase of the moment says."""
        self._tally.called(request.request_id, self.id)
        now_s = _now_s()
        self.books.calls.append(now_s)
        phase = self._phase(now_s)
        self._under_way += 1
        self.books.most_under_way = max(self.books.most_under_way, self._under_way)
        try:
            reply = await self._serve(phase, now_s, operation=operation, request=request, key=key)
        except ProviderError as error:
            self.books.endings[error.kind] += 1
            raise
        except asyncio.CancelledError:
            self.books.endings["cancelled"] += 1
            raise
        finally:
            self._under_way -= 1
        self.books.endings["success"] += 1
        return reply

    async def _serve(self, phase: Phase, now_s: Decimal, *, operation: str, request: Request, key: str) -> Reply:
        # Everything is rolled before anything is awaited, so that other calls do not come in between.
        latency_us = rolls.latency_us(self._dice, median_ms=phase.latency_ms, p95_ms=phase.p95_ms)
        ending = _ending(phase, rolls.share(self._dice))
        moves = not (self.two_part and operation == CREATE)
        executed = rolls.share(self._dice) < phase.executed_share and moves
        self._be_reachable(phase, now_s)
        self._admit(phase, now_s)
        if phase.state == "hangs":
            if executed:
                self._execute(key, request)
            await asyncio.sleep(_FOREVER_S)
        await asyncio.sleep((latency_us + phase.slower_by_ms * 1000 * (self._under_way - 1)) / _SECOND_US)
        if ending is not None:
            if executed and ending in MAYBE_EXECUTED:
                self._execute(key, request)
            raise error_of(ending, f"{self.id} is scripted to fail", retry_after_ms=phase.retry_after_ms)
        if not moves:
            return Reply(value=phase.value, reference=f"{self.id}-for-{request.request_id}")
        reference = self._execute(key, request)
        price = self._prices.get((request.context.get("country", ""), request.context.get("service", "")))
        return Reply(value=phase.value, reference=reference, cost=price, amount_out=self._paid[key])

    def _be_reachable(self, phase: Phase, now_s: Decimal) -> None:
        if any(one.from_s <= now_s < one.until_s for one in self._outages):
            raise Transient("the network is down", code="ENETUNREACH", network=True)
        flapped_down = (
            phase.up_s is not None
            and phase.down_s is not None
            and ((now_s - phase.from_s) % (phase.up_s + phase.down_s) >= phase.up_s)
        )
        if phase.state == "refuses" or flapped_down:
            raise Transient(f"{self.id} refuses the connection", code="ECONNREFUSED", network=True)

    def _admit(self, phase: Phase, now_s: Decimal) -> None:
        while self._last_second and self._last_second[0] <= now_s - 1:
            self._last_second.popleft()
        if phase.max_calls_per_second is not None and len(self._last_second) >= phase.max_calls_per_second:
            raise RateLimited("too many calls", code="429", retry_after_ms=phase.retry_after_ms)
        self._last_second.append(now_s)
        if phase.sold_out:
            raise OutOfStock("none left")
        if phase.capacity is not None and self._under_way > phase.capacity:
            raise Transient("overloaded", code="503")

    def _execute(self, key: str, request: Request) -> str:
        """Do what was asked, once more for each time it is asked: finding repeats is the tests' business."""
        if self._units is not None:
            if self._units == 0:
                raise OutOfStock("none left")
            self._units -= 1
        self.books.executions.setdefault(key, []).append(_now_s())
        self.books.executed_for[request.request_id] += 1
        self._paid[key] = None if self._quotes is None else self._quotes.paid_out(request)
        return self._references.setdefault(key, f"{self.id}-{len(self.books.executions)}")

    async def _ping(self) -> str:
        self.books.pings += 1
        now_s = _now_s()
        phase = self._phase(now_s)
        if phase.pings == "fail":
            raise Transient("the health page says no", code="503")
        if phase.pings == "as_calls":
            self._be_reachable(phase, now_s)
            if phase.state == "hangs":
                await asyncio.sleep(_FOREVER_S)
        await asyncio.sleep(0.01)
        return "pong"

    async def _quote(self, request: Request, *, deadline: Deadline) -> Quote:
        """Quote what the market pays, as the phase of the moment has it."""
        assert self._quotes is not None  # noqa: S101 - what cannot quote has no such method.
        self.books.quotes += 1
        now_s = _now_s()
        phase = self._phase(now_s)
        offer = self._quotes.offer(phase, now_s)
        if phase.quotes == "fail":
            raise Transient(f"{self.id} gives no quotes", code="503")
        if phase.quotes == "as_calls":
            self._be_reachable(phase, now_s)
            if phase.state == "hangs":
                await asyncio.sleep(_FOREVER_S)
        await asyncio.sleep(offer.latency_us / _SECOND_US)
        ending = _ending(phase, offer.roll) if phase.quotes == "as_calls" else None
        if ending is not None:
            raise error_of(ending, f"{self.id} is scripted to fail", retry_after_ms=phase.retry_after_ms)
        return self._quotes.quote(offer.rate, request, deadline)

    async def _stock(self, request: Request, *, deadline: Deadline) -> Reply:  # noqa: ARG002 - all are the same to it
        listed = self._script.listed_units
        return Reply(stock=self._units if listed is None else listed)

    async def _sync(self, *, deadline: Deadline) -> list[Offer]:  # noqa: ARG002 - it takes no time
        """List what there is, and at which price."""
        self.books.lists += 1
        now_s = _now_s()
        phase = self._phase(now_s)
        self._be_reachable(phase, now_s)
        if phase.state == "hangs":
            await asyncio.sleep(_FOREVER_S)
        return [
            Offer(country=one.country, service=one.service, stock=0 if phase.sold_out else one.stock, price=one.price)
            for one in self._script.offers
        ]

    async def _lookup(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Found:  # noqa: ARG002
        """Say what became of a call. An execution is visible only after `settle_ms`: before that it seems absent."""
        self.books.lookups += 1
        now_s = _now_s()
        phase = self._phase(now_s)
        self._be_reachable(phase, now_s)
        if phase.state == "hangs":
            await asyncio.sleep(_FOREVER_S)
        await asyncio.sleep(0.05)
        settled_s = _now_s() - Decimal(self._script.settle_ms) / 1000
        if any(at_s <= settled_s for at_s in self.books.executions.get(key, ())):
            paid, reference = self._paid[key], self._references[key]
            return Found(finding=Finding.SUCCEEDED, value=phase.value, reference=reference, amount_out=paid)
        return Found(finding=Finding.ABSENT)

    def _phase(self, now_s: Decimal) -> Phase:
        return next((one for one in reversed(self._script.phases) if one.covers(now_s)), Phase())


def _ending(phase: Phase, roll: Decimal) -> FailureKind | None:
    """How a call fails in a phase, by what was rolled; None if it does not."""
    for kind, share in phase.failures.items():
        if roll < share:
            return kind
        roll -= share
    return None


def _now_s() -> Decimal:
    """Seconds since the loop began, exact to the microsecond."""
    return Decimal(round(asyncio.get_running_loop().time() * _SECOND_US)) / _SECOND_US
