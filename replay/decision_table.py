"""The candidates of a decision as a table, and texts broken to the width of a terminal."""

import textwrap
from collections.abc import Sequence
from decimal import Decimal

from understudy.engine import eligibility, wares
from understudy.events.decisions import Candidate, DecisionMade
from understudy.events.exact import EXACT
from understudy.replay.story import ms

HEADINGS = ("#", "provider", "tier", "verdict", "score", "success", "average", "points", "chance")
"""Of a decision's table: `#` is the place in its order; `points` are told by LEGEND."""

LEGEND = "score = success rate (100 if unknown) + points for speed, stock and recent success"

NO_STOCK_LEGEND = "; 0 where nothing is in stock"
"""What is added to LEGEND where that is the case."""

QUOTE_HEADINGS = ("#", "provider", "tier", "verdict", "rate", "pays out", "off", "fade", "chance")
"""Of a decision on quotes: `pays out` is net of every fee, `off` how far the rate is from the reference."""

QUOTE_LEGEND = "pays out = net of every fee; off = from the reference; fade = paid out short of quotes of late"

_DIGITS = 10
_NAME = HEADINGS.index("provider")
_VERDICT = "verdict"
_BRIEFLY = {
    eligibility.ALREADY_TRIED: "tried",
    eligibility.UNFUNDED: "no funds",
    eligibility.NEEDS_PING: "awaits a ping",
    eligibility.PROBING: "being probed",
    eligibility.TOO_LATE: "too late",
    eligibility.LAST_RESORT: "last resort",
    eligibility.IN_FLIGHT: "in-flight limit",
    eligibility.GLOBAL_RATE_LIMIT: "rate limit",
    eligibility.GLOBAL_IN_FLIGHT: "in-flight limit",
}
"""Verdicts that a table has no room for; `veto` tells them in full, below it."""


def table(decision: DecisionMade, *, width: int) -> list[str]:
    """The candidates of a decision, best first, then those that were out.

    Where the names make it wider than `width` columns, each stands on a line of its own, above the rest of its row;
    where that is too wide as well, a row is told in words.
    """
    ordered = sorted(decision.candidates, key=lambda one: (one.rank is None, one.rank or 0))
    quoted = decision.consensus is not None
    headings = QUOTE_HEADINGS if quoted else HEADINGS
    rows = [headings, *(_quoted_cells(one) if quoted else _cells(one) for one in ordered)]
    lines = _set(rows)
    if max(map(len, lines)) <= width:
        return lines
    heading, *others = _set([(*row[:_NAME], *row[_NAME + 1 :]) for row in rows])
    if max(map(len, (heading, *others))) > width:
        return [line for row in rows[1:] for line in _in_words(headings, row, width=width)]
    below = [line for one, row in zip(ordered, others, strict=True) for line in (one.provider, row)]
    return [heading, *below]


def legend_of(decision: DecisionMade) -> str:
    """What the figures of a decision's table are."""
    if decision.consensus is not None:
        return QUOTE_LEGEND
    return LEGEND + (NO_STOCK_LEGEND if any(map(is_out_of_stock, decision.candidates)) else "")


def _in_words(headings: Sequence[str], row: Sequence[str], *, width: int) -> list[str]:
    """A row of a table for which there is no room."""
    rank, provider, *cells = row
    told = [cells[1], *(f"{name} {cell}" for name, cell in zip(headings[2:], cells, strict=True) if name != _VERDICT)]
    return wrapped(f"{provider}: {', '.join(told)}", width=width, first=f"{rank}  ", then="     ")


def wrapped(text: str, *, width: int, first: str, then: str) -> list[str]:
    """A text in lines of at most `width` columns, the first one behind `first`, all others behind `then`.

    Only what has no space in it, an id or an address, may be longer: cut, nobody could copy it.
    """
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=then, break_long_words=False, break_on_hyphens=False
    )


def _set(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _cells(one: Candidate) -> Sequence[str]:
    verdict = "degraded" if one.degraded and one.verdict == eligibility.ELIGIBLE else one.verdict
    terms = (one.speed_points, one.stock_points, one.recency_points)
    return (
        str(one.rank or "-"),
        one.provider,
        str(one.tier),
        _BRIEFLY.get(verdict, verdict.replace("_", " ")),
        points(0 if is_out_of_stock(one) else one.score),
        "unknown" if one.success_bp is None else f"{Decimal(one.success_bp) / 100:.2f} %",
        ms(one.average_us) if one.average_us else "unknown",  # 0 where no call was timed: all failed at once.
        " ".join(f"{term / 1000:+.0f}" for term in terms),
        f"{Decimal(one.propensity_ppm) / 10_000:.2f} %",
    )


def is_out_of_stock(one: Candidate) -> bool:
    """Whether a candidate could not be asked for want of stock: then its score comes to nothing."""
    return one.verdict == wares.OUT_OF_STOCK


def points(thousandths: int) -> str:
    """A score in points."""
    return f"{Decimal(thousandths) / 1000:.1f}"


def _quoted_cells(one: Candidate) -> Sequence[str]:
    quote = one.quote
    verdict = "degraded" if one.degraded and one.verdict == eligibility.ELIGIBLE else one.verdict
    return (
        str(one.rank or "-"),
        one.provider,
        str(one.tier),
        _BRIEFLY.get(verdict, verdict.replace("_", " ")),
        "-" if quote is None else short(quote.rate),
        "-" if quote is None else short(quote.net),
        "-" if quote is None or quote.off_bp is None else f"{quote.off_bp:+} bp",
        "-" if quote is None or quote.fade_ppm is None else f"{Decimal(quote.fade_ppm) / 100:+.1f} bp",
        f"{Decimal(one.propensity_ppm) / 10_000:.2f} %",
    )


def short(value: Decimal) -> str:
    """A rate or an amount with as many digits as a person compares."""
    digits = len(value.as_tuple().digits)
    shown = value if digits <= _DIGITS else EXACT.quantize(value, Decimal(1).scaleb(value.adjusted() - _DIGITS + 1))
    return f"{shown:f}"
