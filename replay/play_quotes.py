"""The real engine over recorded quotes: one conversion at each recorded instant, at the best honest rate, virtual time.

Whoever has no row has had no trade: it does not offer the pair at that instant, which says nothing about its health. If
that goes on, it is silent, and its quotes fail: then the engine leaves it alone, and asks again after a rest.
"""

from contextlib import suppress
from dataclasses import replace
from decimal import Context, Decimal
from enum import StrEnum
from typing import Final

from understudy.engine.engine import Engine
from understudy.engine.errors import NotOffered, RequestError, Transient
from understudy.engine.operation import Operation
from understudy.engine.provider import Deadline, Reply, Request
from understudy.events.policy import Policy
from understudy.events.quotes import Quote
from understudy.events.vocabulary import Effect, Strategy
from understudy.replay.quote_report import QuoteReport, report_of
from understudy.replay.quotes_file import QuotedMinute, RecordedQuotes
from understudy.replay.report import VerifiedCounts
from understudy.replay.runs import Progress, SimulatedLog, SimulationError, Verify, verified
from understudy.replay.virtual_system import VirtualSystem
from understudy.replay.virtual_time import run_virtual

CONVERT: Final = Operation(name="convert", effect=Effect.ONCE, quoted=True)
CONVERTERS: Final = Policy(strategy=Strategy.WEIGHTED, retry_attempts=0, trust_ping=True)
"""How a converter decides unless it is told otherwise."""
SILENT_AFTER_US: Final = 300_000_000
"""On a thin pair minutes without a trade are usual; whoever has none for so long is silent."""
_PROGRESS_EVERY: Final = 200
_AHEAD_OF_THE_STORE: Final = 2_000
"""Events that may be pending before the clock stands still."""
_RATE: Final = Context(prec=20)
"""Digits of a rate that is turned round."""


class Side(StrEnum):
    """What is done with the first coin of a pair: selling BTC/USD converts BTC into USD, buying USD into BTC."""

    SELL = "sell"
    BUY = "buy"


class _Stage:
    """The instant that is being played, for the providers to look at."""

    def __init__(self, quotes: RecordedQuotes) -> None:
        self.minute = quotes.minutes[0]
        self._heard_us = dict.fromkeys(quotes.providers, self.minute.at_us)

    def show(self, minute: QuotedMinute) -> None:
        """The next instant begins."""
        self.minute = minute
        for provider in minute.rates:
            self._heard_us[provider] = minute.at_us

    def silent_us(self, provider: str) -> int:
        """For how long a provider has had no row, asked or not."""
        return self.minute.at_us - self._heard_us[provider]


class QuotedProvider:
    """A provider that quotes as it did in the minute that is being played, and converts at that rate."""

    def __init__(self, provider_id: str, *, stage: "_Stage") -> None:
        self._id = provider_id
        self._stage = stage

    @property
    def id(self) -> str:
        """The provider's name in the file."""
        return self._id

    async def quote(self, request: Request, *, deadline: Deadline) -> Quote:  # noqa: ARG002
        """The rate of this minute.

        Raises: NotOffered without one; Transient once it has been silent for long.
        """
        rate = self._stage.minute.rates.get(self._id)
        if rate is not None:
            return Quote(rate=rate)
        silent_us = self._stage.silent_us(self._id)
        if silent_us > SILENT_AFTER_US:
            raise Transient(f"no row for {silent_us // 60_000_000} minutes")
        raise NotOffered("no row at this instant")

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Reply:  # noqa: ARG002
        """Pay out what was promised."""
        return Reply(value={"executed": True}, reference=f"{self._id}-{self._stage.minute.at_us}")


def turned_pair(pair: str, side: Side) -> str:
    """The pair of a conversion: what is sold, and what is bought."""
    base, _, money = pair.partition("/")
    return pair if side is Side.SELL else f"{money}/{base}"


def turned(quotes: RecordedQuotes, side: Side) -> RecordedQuotes:
    """The quotes as a conversion needs them: who buys BTC/USD converts by USD/BTC, at one over the rate."""
    if side is Side.SELL:
        return quotes
    minutes = [
        QuotedMinute(at_us, {name: _RATE.divide(Decimal(1), rate) for name, rate in rates.items()})
        for at_us, rates in quotes.minutes
    ]
    return RecordedQuotes(pair=turned_pair(quotes.pair, side), providers=quotes.providers, minutes=tuple(minutes))


def simulate_quotes(
    quotes: RecordedQuotes,
    *,
    log: SimulatedLog,
    side: Side = Side.SELL,
    amount: Decimal = Decimal(1),
    policy: Policy = CONVERTERS,
    seed: int = 0,
    verify: Verify | None = None,
    progress: Progress | None = None,
) -> QuoteReport:
    """Convert an amount of the coin that is sold at each instant, and tell what came of it.

    Errors: SimulationError if the policy does not fit the quotes.
    """
    unknown = [one.id for one in policy.providers if one.id not in quotes.providers]
    if unknown:
        told = f"the policy configures {unknown[0]!r}, which has no quote of {quotes.pair}"
        raise SimulationError(f"{told}; there are {', '.join(quotes.providers)}")
    played = turned(quotes, side)
    run = _play(played, amount=amount, policy=policy, log=log, seed=seed, progress=progress)
    # As with a trace, the clock need not wait for each commit.
    run_virtual(run, busy=lambda: log.pending > _AHEAD_OF_THE_STORE)
    with log.reader() as reader:
        report = report_of(reader, played, policy=policy, amount=amount)
    found = verified(log, verify)
    if found is None:
        return report
    return replace(report, verify=VerifiedCounts(identical=found.identical, differs=found.differs))


async def _play(
    quotes: RecordedQuotes, *, amount: Decimal, policy: Policy, log: SimulatedLog, seed: int, progress: Progress | None
) -> None:
    system = VirtualSystem(seed=seed, start_us=quotes.minutes[0].at_us)
    stage = _Stage(quotes)
    providers = [QuotedProvider(one, stage=stage) for one in quotes.providers]
    async with Engine(
        providers=providers, log=log, policy=policy, system=system, operations=(CONVERT,), watch=False
    ) as engine:
        for count, minute in enumerate(quotes.minutes, start=1):
            await system.sleep_until(minute.at_us)
            stage.show(minute)
            with suppress(RequestError):  # It is on record.
                await engine.call(CONVERT.name, context={"pair": quotes.pair}, amount=amount)
            if progress is not None and (count % _PROGRESS_EVERY == 0 or count == len(quotes.minutes)):
                progress(count, len(quotes.minutes))
