"""A log whose symptoms are looked into: what is known of it, each thing asked for when a check first wants it."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from shlex import quote
from typing import Any, Final, TypeVar

from understudy.adapters.cli.instants import iso
from understudy.adapters.cli.standings import ProviderStanding, providers_of
from understudy.adapters.stores import SqliteReader, symptom_figures
from understudy.adapters.stores.symptom_figures import Failure, Place, Tally
from understudy.engine.health import Status
from understudy.events.codec import decode
from understudy.events.decisions import DecisionMade
from understudy.events.operations import AlertRaised
from understudy.events.policy import Policy
from understudy.events.requests import RequestFailed
from understudy.events.vocabulary import SIDE_OPERATIONS, FailureKind
from understudy.projections.standing import Standing

A = TypeVar("A")

SUCCESS: Final = "success"
COUNTED: Final = frozenset({"transient", "timed_out", "ambiguous", "invalid_reply"})
"""Endings that count as failures: see docs/endings.md."""
THROTTLED: Final = FailureKind.RATE_LIMITED.value
HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US
ENOUGH: Final = 20
"""Calls from which on a share or an average says something."""


class Case:
    """One log under examination.

    Shape:  `since_us` begins the window of most checks, `trends_us` that of those which look at hours and days.
    Errors: each property may raise LogUnavailable and UnreadableEvent.
    """

    def __init__(
        self, db: Path, reader: SqliteReader, standing: Callable[[], Standing], *, now_us: int, since_us: int | None
    ) -> None:
        self.db = db
        self.now_us = now_us
        self.since_us = now_us - DAY_US if since_us is None else since_us
        self.trends_us = now_us - 7 * DAY_US if since_us is None else since_us
        self._reader = reader
        self._standing = standing

    @cached_property
    def standing(self) -> Standing:
        """What the log adds up to."""
        return self._standing()

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self.standing.policy

    @property
    def names(self) -> Sequence[str]:
        """The providers of the policy in force."""
        return tuple(self.policy.by_id)

    @cached_property
    def providers(self) -> Sequence[ProviderStanding]:
        """How each of them stands."""
        return providers_of(self.standing, now_us=self.now_us)

    @property
    def ill(self) -> Sequence[ProviderStanding]:
        """Those that are not healthy."""
        return [one for one in self.providers if one.judged.status is not Status.HEALTHY]

    @property
    def unavailable(self) -> Sequence[ProviderStanding]:
        """Those that are not asked."""
        return [one for one in self.providers if one.judged.status is Status.UNAVAILABLE]

    def _asked(self, question: Callable[[sqlite3.Connection], A]) -> A:
        """The answer of the tables with everything since the longer window began, be it archived."""
        with self._reader.tables_since(min(self.since_us, self.trends_us)) as tables:
            return question(tables)

    @cached_property
    def tallies(self) -> Sequence[Tally]:
        """All calls of the longer window."""
        since_us = min(self.since_us, self.trends_us)
        return self._asked(lambda it: symptom_figures.tallies(it, self.names, since_us=since_us, until_us=self.now_us))

    @cached_property
    def failures(self) -> Sequence[Failure]:
        """The latest failures, newest first."""
        return self._asked(lambda it: symptom_figures.failures(it, self.names, since_us=self.since_us))

    @cached_property
    def places(self) -> Sequence[Place]:
        """Which countries and services the latest calls were for."""
        return self._asked(lambda it: symptom_figures.places(it, self.names, since_us=self.since_us))

    @cached_property
    def decisions(self) -> Sequence[Mapping[str, Any]]:
        """What the latest decisions said, newest first."""
        return self._asked(lambda it: list(symptom_figures.latest(it, DecisionMade.kind, since_us=self.since_us)))

    @cached_property
    def failed(self) -> Sequence[Mapping[str, Any]]:
        """What the latest requests that failed ended with."""
        return self._asked(lambda it: list(symptom_figures.latest(it, RequestFailed.kind, since_us=self.since_us)))

    def served(self, provider: str) -> Sequence[Tally]:
        """The calls of a provider that were to serve requests, in the window."""
        first = self.since_us // HOUR_US
        return [one for one in self.over_days(provider) if one.hour >= first]

    def over_days(self, provider: str) -> Sequence[Tally]:
        """The same in the longer window."""
        return [one for one in self.tallies if one.provider == provider and one.operation not in SIDE_OPERATIONS]

    def asked(self, provider: str, operation: str) -> Sequence[Tally]:
        """The side calls of a provider in the window: pings, quotes, …."""
        first = self.since_us // HOUR_US
        found = (one for one in self.tallies if one.provider == provider and one.operation == operation)
        return [one for one in found if one.hour >= first]

    def failures_of(self, provider: str) -> Sequence[Failure]:
        """The latest failures of a provider's serving calls, newest first."""
        return [one for one in self.failures if one.provider == provider]

    def raised(self, alert: str) -> Sequence[int]:
        """When an alert was raised within the window."""
        rows = (row for row in self._reader.operations(AlertRaised.kind) if row.at_us > self.since_us)
        found = ((row.at_us, decode(row)) for row in rows)
        return [at_us for at_us, event in found if isinstance(event, AlertRaised) and event.alert == alert]

    def vetoes(self, provider: str) -> tuple[int, Counter[str]]:
        """In how many of the latest decisions a provider stood, and how often with each verdict.

        Where it missed a threshold, that counts as its verdict: it stood behind the others.
        """
        met: Counter[str] = Counter()
        count = 0
        for decision in self.decisions:
            for one in decision.get("candidates", ()):
                if one["provider"] == provider and one["verdict"] != "already_tried":
                    count += 1
                    met[f"degraded by {one['degraded']}" if "degraded" in one else str(one["verdict"])] += 1
        return count, met

    def page(self, provider: str) -> str:
        """Where a provider says how it is, in words."""
        url = self.policy.by_id[provider].status_page_url
        return f"see {url}" if url else "it has no status_page_url in the policy"

    def command(self, words: str) -> str:
        """A command of ours about this log: `{}` stands for its file."""
        return f"understudy {words.format(quote(str(self.db)))}"


def counted_of(found: Iterable[Tally]) -> tuple[int, int]:
    """Successes, and failures that count."""
    good = bad = 0
    for one in found:
        good += one.calls if one.outcome == SUCCESS else 0
        bad += one.calls if one.outcome in COUNTED else 0
    return good, bad


def count_of(found: Iterable[Tally], outcome: str) -> int:
    """How many calls ended so."""
    return sum(one.calls for one in found if one.outcome == outcome)


def average_us(found: Iterable[Tally]) -> int | None:
    """How long calls took that succeeded or ran out of time; None if there were none."""
    timed = [one for one in found if one.outcome in {SUCCESS, FailureKind.TIMED_OUT.value}]
    count = sum(one.calls for one in timed)
    return sum(one.latency_us for one in timed) // count if count else None


def percent(part: int, whole: int) -> str:
    """A share in words."""
    return f"{100 * part / whole:.0f} %" if whole else "0 %"


def ms(length_us: int) -> str:
    """A length of time in milliseconds."""
    return f"{length_us / 1000:,.0f} ms"


def most_common(found: Sequence[Failure]) -> tuple[str, int, int]:
    """The commonest message of some failures, how often it came, and when it last did."""
    message, count = Counter(one.message for one in found).most_common(1)[0]
    return message, count, max(one.at_us for one in found if one.message == message)


def when(at_us: int) -> str:
    """An instant in words."""
    return iso(at_us) if at_us else "never"
