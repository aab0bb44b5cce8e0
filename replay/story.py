"""A request as a story in plain text: what happened when, who might have served it, and why not."""

from collections.abc import Collection
from datetime import UTC, datetime

from understudy.engine import eligibility
from understudy.engine.assess import SUCCESS_RATE
from understudy.engine.parts import COMMIT, CREATE
from understudy.events.calls import CallAbandoned, CallFailed, CallStarted, CallSucceeded
from understudy.events.decisions import Candidate, DecisionMade
from understudy.events.policy import Policy
from understudy.events.quotes import QuotesRequested
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
_MEASURES = {
    "round": "the median of the round",
    "round_and_history": "the median of the round and what was agreed of late",
    "history": "what was agreed of late",
    "nothing": "nothing to compare with",
}
"""What a reference is made of."""


def instant(at_us: int) -> str:
    """An instant as UTC text, to the millisecond."""
    return datetime.fromtimestamp(at_us // 1000 / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"


def sentence(recorded: Recorded, forgotten: Collection[str] = ()) -> str:
    """One event of a request as a sentence; a call that a drill has touched is told to be so.

    `forgotten` are tokens of values that have been erased.
    """
    event = recorded.event
    told = _sentence(recorded, forgotten)
    # A failure that a drill has made up says so in its message.
    if isinstance(event, CallStarted | CallSucceeded) and event.drill is not None:
        return f"{told}, in drill {event.drill}"
    return told


def _sentence(recorded: Recorded, forgotten: Collection[str]) -> str:
    event = recorded.event
    match event:
        case RequestAccepted():
            return _accepted(event, forgotten)
        case DecisionMade():
            return _decided(event)
        case QuotesRequested():
            how = "at once" if event.parallel else "one after another"
            aside = f"; in quarantine, without a voice: {', '.join(event.observed)}" if event.observed else ""
            return f"asks for quotes, {how}: {', '.join(event.providers)}{aside}"
        case CallStarted():
            return _started(event)
        case CallSucceeded():
            return _succeeded(event)
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


def ms(us: int) -> str:
    """A length of time in milliseconds."""
    return f"{us / 1000:,.0f} ms" if us >= _EXACT_BELOW_US else f"{us / 1000:.1f} ms"


def veto(one: Candidate, *, left_us: int) -> str:
    """Why a candidate was out, with its end where there is one. So much of the request's time was left."""
    name = one.verdict.replace("_", " ")
    if one.verdict == eligibility.TOO_LATE:
        usual = f", and its calls take {ms(one.average_us)} on average" if one.average_us else ""
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


def believed(one: Candidate) -> str | None:
    """What a decision believed that a provider has on offer, and how old that was; None if it knew nothing."""
    told = []
    if one.stock is not None:
        told.append(f"{one.stock:,} in stock{_age(one.stock_age_us)}")
    if one.price is not None:
        told.append(f"at {one.price:f}" + (" (as configured)" if one.price_age_us is None else _age(one.price_age_us)))
    return " ".join(told) or None


def _age(age_us: int | None) -> str:
    return "" if age_us is None else f" (told {span(age_us)} ago)"


def span(us: int) -> str:
    """A length of time as people say it, in its largest whole unit."""
    for unit_us, name in ((3_600_000_000, "h"), (60_000_000, "min"), (1_000_000, "s")):
        if us >= unit_us:
            return f"{us // unit_us} {name}"
    return "less than 1 s"


def _accepted(event: RequestAccepted, forgotten: Collection[str]) -> str:
    context = {"service": event.service, "country": event.country, "rental": event.rental_id, "pair": event.pair}
    named = [f"{name} {shown(value, forgotten)}" for name, value in {**context, **event.labels}.items() if value]
    amount = f", amount {event.amount}" if event.amount is not None else ""
    key = f", key {event.key}" if event.key else ""
    most = f", for at most {event.max_price:f}" if event.max_price is not None else ""
    only = f", at {event.only} only" if event.only is not None else ""
    undoes = f", to undo request {event.undoes}" if event.undoes is not None else ""
    more = amount + key + most + only + undoes
    return f"{event.operation} ({event.effect}) accepted" + "".join(f", {one}" for one in named) + more


def _decided(event: DecisionMade) -> str:
    if event.provider is None:
        return "decides: nobody may be asked"
    if event.consensus is not None:
        measure = _MEASURES[event.consensus.basis]
        told = "" if event.consensus.reference is None else f" (reference {event.consensus.reference}, {measure})"
        return f"decides on quotes: {event.provider}, of {', '.join(event.order)}{told}"
    how = " for exploration" if event.explored else " as preferred" if event.pinned else ""
    return f"decides by {event.strategy}: {event.provider}{how}, of {', '.join(event.order)}"


def _started(event: CallStarted) -> str:
    if event.operation == "lookup":
        return f"asks {event.provider} what became of " + (f"call {event.attempt}" if event.attempt else "its call")
    if event.operation == "quote":
        return f"asks {event.provider} for a quote"
    again = f", try {event.retry + 1} there" if event.retry else ""
    due = f", which promises {event.amount_due}" if event.amount_due is not None else ""
    part = f" to {event.operation}" if event.operation in {CREATE, COMMIT} else ""
    return f"calls {event.provider}{part} (call {event.attempt}{again}){due}"


def _succeeded(event: CallSucceeded) -> str:
    if event.finding is not None:
        return f"{event.provider} says after {ms(event.latency_us)}: {event.finding}"
    if event.quote is not None:
        promise = f", pays out {event.quote.amount_out}" if event.quote.amount_out is not None else ""
        return f"{event.provider} quotes {event.quote.rate} after {ms(event.latency_us)}{promise}"
    reference = f", reference {event.reference}" if event.reference else ""
    paid = f", pays out {event.amount_out}" if event.amount_out is not None else ""
    cost = f", costs {event.cost:f}" if event.cost is not None else ""
    return f"{event.provider} answered after {ms(event.latency_us)}{paid}{cost}{reference}"


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
