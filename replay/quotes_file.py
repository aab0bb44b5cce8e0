"""Recorded quotes as a file: what every provider asked for a pair at each instant, one row a provider.

CSV, plain or gzipped, with the columns `t_unix,provider,pair` and one with the rate (`close` unless another is named).
Columns and rows may be in any order. `t_unix` is in seconds since 1970, the rate in units of the pair's second coin for
one of its first. A provider without a row at an instant quotes nothing then.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final, NamedTuple

from understudy.events.names import did_you_mean
from understudy.replay.csv_file import TraceError, number_in, provider_in, read_columns, wrong

COLUMN: Final = "close"
"""Where a rate is taken from unless something else is said."""
INSTANTS_AT_MOST: Final = 300_000
"""All of a run is held in memory."""
_MOST_DIGITS: Final = 40
"""Of a rate: as the engine takes them."""


class QuotedMinute(NamedTuple):
    """An instant, and what each provider quoted then."""

    at_us: int
    rates: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedQuotes:
    """The quotes of one pair: its instants in order, and its providers in the order of their first rows."""

    pair: str
    providers: tuple[str, ...]
    minutes: tuple[QuotedMinute, ...]


def read_quotes(path: Path, *, pair: str | None = None, column: str = COLUMN) -> RecordedQuotes:
    """The quotes of a pair; without one, those of the only pair that the file has.

    Errors: TraceError naming file and line; also for a pair that is not there, and for none named among several.
    """
    pairs: dict[str, int] = {}
    chosen = pair
    minutes: dict[int, dict[str, Decimal]] = {}
    providers: dict[str, None] = {}
    columns = ("t_unix", "provider", "pair", column)
    for line, (t_unix, name, its_pair, rate) in read_columns(path, columns, what="a file of quotes"):
        if its_pair not in pairs:
            _expect_pair(path, line, its_pair)
            chosen = chosen or its_pair
        pairs[its_pair] = pairs.get(its_pair, 0) + 1
        if its_pair != chosen:
            continue
        provider = provider_in(path, line, name)
        at_us = round(number_in(path, line, "t_unix", t_unix) * 1_000_000)
        if at_us < 0:
            raise wrong(path, line, f"t_unix is {t_unix}; it must be at least 0, seconds since 1970")
        rates = minutes.setdefault(at_us, {})
        if provider in rates:
            raise wrong(path, line, f"{provider!r} has a row of {its_pair} at {t_unix} already")
        rates[provider] = _rate(path, line, column, rate)
        providers[provider] = None
    _expect_found(path, pairs, wanted=pair)
    if len(minutes) > INSTANTS_AT_MOST:
        raise TraceError(f"{path}: {chosen} has {len(minutes):,} instants, and {INSTANTS_AT_MOST:,} are the most")
    ordered = tuple([QuotedMinute(at_us, rates) for at_us, rates in sorted(minutes.items())])
    return RecordedQuotes(pair=chosen or "", providers=tuple(providers), minutes=ordered)


def _expect_pair(path: Path, line: int, text: str) -> None:
    sold, slash, bought = text.partition("/")
    if not (sold and slash and bought and text.isprintable()) or "/" in bought:
        raise wrong(path, line, f"pair is {text!r}; it must be two coins such as BTC/USD")


def _expect_found(path: Path, pairs: Mapping[str, int], *, wanted: str | None) -> None:
    """Refuse a file from which nothing can be played as it was asked for."""
    if not pairs:
        raise TraceError(f"{path}: there is no quote in this file")
    there = ", ".join(f"{pair} ({rows:,} rows)" for pair, rows in pairs.items())
    if wanted is None and len(pairs) > 1:
        raise TraceError(f"{path} has {len(pairs)} pairs; name one of them with --pair: {there}")
    if wanted is not None and wanted not in pairs:
        meant = did_you_mean(wanted, list(pairs)) or "."
        raise TraceError(f"{path}: there is no pair {wanted!r}{meant}\nThere are {there}.")


def _rate(path: Path, line: int, name: str, text: str) -> Decimal:
    try:
        rate = Decimal(text)
    except InvalidOperation:
        raise wrong(path, line, f"{name} is {text!r}; it must be a number above 0") from None
    if not rate.is_finite() or rate <= 0:
        raise wrong(path, line, f"{name} is {text!r}; it must be a number above 0")
    if len(rate.as_tuple().digits) > _MOST_DIGITS or abs(rate.adjusted()) > _MOST_DIGITS:
        raise wrong(path, line, f"{name} is {text[:60]!r}, which is no rate to reckon with")
    return rate
