"""A request as a story in plain text: what happened when, who might have served it, and why not."""

import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from understudy.engine import eligibility
from understudy.engine.assess import SUCCESS_RATE
from understudy.events.calls import CallAbandoned, CallFailed, CallStarted, CallSucceeded
from understudy.events.decisions import Candidate, DecisionMade
from understudy.events.policy import Policy
from understudy.events.requests import (
    RequestAccepted,
    RequestCancelled,
    RequestCompleted,
    RequestFailed,
    RequestResumed,
    RequestSuspended,
    RetryScheduled,
)
from understudy.events.row import Recorded
from understudy.events.sensitive import shown
from understudy.events.vocabulary import AbandonReason, SuspendReason

_EXACT_BELOW_US = 10_000
"""Shorter times are told to a tenth of a millisecond."""

HEADINGS = ("#", "provider", "tier", "verdict", "score", "success", "average", "points", "chance")
"""Of a decision's table: `#` is the place in its order; `points` are told by LEGEND."""

LEGEND = "score = success rate (100 if unknown) + points for speed, stock and recent success"

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


def instant(at_us: int) -> str:
    """An instant as UTC text, to the millisecond."""
    return datetime.fromtimestamp(at_us // 1000 / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"


def sentence(recorded: Recorded) -> str:
    """One event of a request as a sentence."""
    event = recorded.event
    match event:
        case RequestAccepted():
            return _accepted(event)
        case DecisionMade():
            return _decided(event)
        case CallStarted(operation="lookup"):
            return f"asks {event.provider} what became of call {event.attempt}"
        case CallStarted():
            again = f", try {event.retry + 1} there" if event.retry else ""
            return f"calls {event.provider} (call {event.attempt}{again})"
        case CallSucceeded(finding=finding) if finding is not None:
            return f"{event.provider} says after {ms(event.latency_us)}: {finding}"
        case CallSucceeded():
            reference = f", reference {event.reference}" if event.reference else ""
            return f"{event.provider} answered after {ms(event.latency_us)}{reference}"
        case CallFailed():
            return _failed(event)
        case CallAbandoned():
            return _abandoned(event)
        case RetryScheduled(provider=None):
            return f"waits in line: {event.reason}"
        case RetryScheduled():
            return f"waits {ms(max(0, event.until_us - recorded.at_us))}: {event.reason}"
        case RequestCancelled():
            return f"is given up ({event.reason})"
        case RequestSuspended():
            return _suspended(event)
        case RequestResumed():
            word = "executed" if event.executed else "not executed"
            return f"{event.actor} declares it {word}: {event.reason}"
        case RequestCompleted():
            return _completed(event)
        case RequestFailed():
            return f"failed: {event.reason}" + (f", last {event.last_outcome}" if event.last_outcome else "")
        case _:
            return event.kind


def table(decision: DecisionMade, *, width: int) -> list[str]:
    """The candidates of a decision, best first, then those that were out.

    Where the names make it wider than `width` columns, each stands on a line of its own, above the rest of its row;
    where that is too wide as well, a row is told in words.
    """
    ordered = sorted(decision.candidates, key=lambda one: (one.rank is None, one.rank or 0))
    rows = [HEADINGS, *(_cells(one) for one in ordered)]
    lines = _set(rows)
    if max(map(len, lines)) <= width:
        return lines
    headings, *others = _set([(*row[:_NAME], *row[_NAME + 1 :]) for row in rows])
    if max(map(len, (headings, *others))) > width:
        return [line for row in rows[1:] for line in _in_words(row, width=width)]
    below = [line for one, row in zip(ordered, others, strict=True) for line in (one.provider, row)]
    return [headings, *below]


def _in_words(row: Sequence[str], *, width: int) -> list[str]:
    """A row of a table for which there is no room."""
    rank, provider, *cells = row
    told = [cells[1], *(f"{name} {cell}" for name, cell in zip(HEADINGS[2:], cells, strict=True) if name != _VERDICT)]
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


def ms(us: int) -> str:
    """A length of time in milliseconds."""
    return f"{us / 1000:,.0f} ms" if us >= _EXACT_BELOW_US else f"{us / 1000:.1f} ms"


def veto(one: Candidate, *, left_us: int) -> str:
    """Why a candidate was out, with its end where there is one. So much of the request's time was left."""
    name = one.verdict.replace("_", " ")
    if one.verdict == eligibility.TOO_LATE:
        usual = "" if one.average_us is None else f", and its calls take {ms(one.average_us)} on average"
        return f"{name}: {ms(left_us)} were left{usual}"
    ends = one.until_us is not None and one.verdict not in eligibility.OPEN_ENDED
    return f"{name} until {instant(one.until_us)}" if ends and one.until_us is not None else name


def below_par(one: Candidate, policy: Policy) -> str | None:
    """What to say of an eligible candidate that misses a threshold: it stood behind the others, or why it did not."""
    if one.degraded == SUCCESS_RATE:
        return f"was degraded: its success rate was below {policy.min_success_rate} %"
    if one.degraded is not None:
        return f"was degraded: its average response was above {policy.max_response_time_ms:,} ms"
    if one.success_bp is not None and one.success_bp < policy.min_success_rate * 100:
        missed, once = f"a success rate below {policy.min_success_rate} %", "one failure alone"
    elif one.average_us is not None and one.average_us > policy.max_response_time_ms * 1000:
        missed, once = f"an average response above {policy.max_response_time_ms:,} ms", "one slow call alone"
    else:
        return None
    return f"was not counted as degraded with {missed}: it had rested since, or that was {once}"


def _accepted(event: RequestAccepted) -> str:
    context = {"service": event.service, "country": event.country, "rental": event.rental_id, "pair": event.pair}
    named = [f"{name} {shown(value)}" for name, value in {**context, **event.labels}.items() if value]
    amount = f", amount {event.amount}" if event.amount is not None else ""
    key = f", key {event.key}" if event.key else ""
    return f"{event.operation} ({event.effect}) accepted" + "".join(f", {one}" for one in named) + amount + key


def _decided(event: DecisionMade) -> str:
    if event.provider is None:
        return "decides: nobody may be asked"
    how = " for exploration" if event.explored else " as preferred" if event.pinned else ""
    return f"decides by {event.strategy}: {event.provider}{how}, of {', '.join(event.order)}"


def _completed(event: RequestCompleted) -> str:
    changes = f" after {event.failovers} failover{'s' if event.failovers > 1 else ''}" if event.failovers else ""
    return f"served by {event.provider}{changes} (known by {event.via})"


def _abandoned(event: CallAbandoned) -> str:
    if event.reason is AbandonReason.NOT_SENT:
        return (
            f"the call to {event.provider} was never sent, as its intent was not on record in time:"
            " nothing was executed; where time is left, the request is decided anew"
        )
    if event.reason is AbandonReason.OUT_OF_TIME:
        return f"the call to {event.provider} ran out of the request's time: too little was left to blame anybody"
    return f"the call to {event.provider} was abandoned ({event.reason}): outcome unknown, nobody's fault"


def _suspended(event: RequestSuspended) -> str:
    only = f"; {event.provider} has no look-up, so only an operator's word settles it"
    held = f"is held: {event.provider} may have executed call {event.attempt} ({event.reason})"
    return held + (only if event.reason is SuspendReason.NO_LOOKUP else "")


def _failed(event: CallFailed) -> str:
    told = ": ".join(part for part in (event.code, event.message) if part)
    pause = f", asks us to wait {ms(event.retry_after_us)}" if event.retry_after_us is not None else ""
    return f"{event.provider} failed after {ms(event.latency_us)}: {event.outcome}{pause}" + (
        f" ({told})" if told else ""
    )


def _cells(one: Candidate) -> Sequence[str]:
    verdict = "degraded" if one.degraded and one.verdict == eligibility.ELIGIBLE else one.verdict
    terms = (one.speed_points, one.stock_points, one.recency_points)
    return (
        str(one.rank or "-"),
        one.provider,
        str(one.tier),
        _BRIEFLY.get(verdict, verdict.replace("_", " ")),
        points(one.score),
        "unknown" if one.success_bp is None else f"{Decimal(one.success_bp) / 100:.2f} %",
        "unknown" if one.average_us is None else ms(one.average_us),
        " ".join(f"{term / 1000:+.0f}" for term in terms),
        f"{Decimal(one.propensity_ppm) / 10_000:.2f} %",
    )


def points(thousandths: int) -> str:
    """A score in points."""
    return f"{Decimal(thousandths) / 1000:.1f}"
