"""Bundled scenarios, played once each: the log, the figures, what the providers say of it, and what hooks heard."""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

from understudy.adapters.stores import MemoryLog
from understudy.engine.engine import Engine
from understudy.events.codec import recorded
from understudy.events.decisions import Candidate, DecisionMade
from understudy.events.fact import Fact
from understudy.events.requests import RequestCompleted
from understudy.events.row import Recorded, Row
from understudy.events.signals import SIGNALS
from understudy.replay.report import Report
from understudy.replay.scripted import Books
from understudy.replay.simulate import bundled_scenario, play
from understudy.replay.verify import verify
from understudy.replay.virtual_system import START_US

F = TypeVar("F", bound=Fact)


class Heard(NamedTuple):
    """A signal as a receiver heard it."""

    at_s: float
    signal: str
    says: dict[str, Any]


class Told(NamedTuple):
    """A scenario that was played: its log, its figures, what the providers say of it, and what was heard meanwhile."""

    rows: Sequence[Row]
    events: Sequence[Recorded]
    report: Report
    books: dict[str, Books]
    heard: Sequence[Heard]
    """Empty but for a scenario that is listened to."""

    def of(self, kind: type[F]) -> list[tuple[float, F]]:
        """The events of a kind, each with the second in which it happened."""
        return [((one.at_us - START_US) / 1_000_000, one.event) for one in self.events if isinstance(one.event, kind)]

    def verdicts(self, provider: str, *, from_s: float = 0, until_s: float = 1e9) -> Counter[str]:
        """What decisions of a span said of a provider, and how often."""
        return Counter(
            candidate(one, provider).verdict for at_s, one in self.of(DecisionMade) if from_s <= at_s < until_s
        )

    def served(self, *, from_s: float, until_s: float = 1e9) -> Counter[str]:
        """Who served how many of the requests completed in a span."""
        return Counter(one.provider for at_s, one in self.of(RequestCompleted) if from_s <= at_s < until_s)

    def served_by(self, provider: str, *, from_s: float, until_s: float = 1e9) -> float:
        """The share of the requests completed in a span that a provider served."""
        served = self.served(from_s=from_s, until_s=until_s)
        return served[provider] / served.total()

    @property
    def executions(self) -> Counter[str]:
        """How often each request was executed, by whomsoever: so say the providers' own books."""
        return sum((books.executed_for for books in self.books.values()), Counter())


def candidate(decision: DecisionMade, provider: str) -> Candidate:
    return next(one for one in decision.candidates if one.provider == provider)


LISTENED_TO = {"cascading-outage"}
"""Where a test asks what hooks heard: receivers of all signals cost a quarter of a run."""


@cache
def told(name: str) -> Told:
    log, letters = MemoryLog(salt=bytes(32)), list[tuple[int, str, dict[str, Any]]]()
    attend = (lambda engine: _listen(engine, letters)) if name in LISTENED_TO else None
    played = play(bundled_scenario(name), log=log, verify=verify, attend=attend)
    with log.reader() as reader:
        rows = list(reader.rows())
    events = [recorded(row) for row in rows]
    # Each signal has a receiver of its own; what one event says through several of them is in no order.
    letters.sort(key=lambda letter: letter[0])
    heard = [Heard((says["at_us"] - START_US) / 1_000_000, signal, says) for _, signal, says in letters]
    return Told(rows, events, played.report, {one: provider.books for one, provider in played.providers.items()}, heard)


def _listen(engine: Engine, letters: list[tuple[int, str, dict[str, Any]]]) -> None:
    def receiver(signal: str) -> Any:
        async def hear(_: object, *, seq: int, **says: Any) -> None:
            letters.append((seq, signal, says))

        return hear

    for signal in SIGNALS:
        engine.on(signal, receiver(signal))
