"""Which alerts an event raises or clears: asked after every append, answered from the standing alone."""

from collections.abc import Iterator, Mapping

from understudy.engine.request_state import LOOKUP
from understudy.events.alerts import LONG_THROTTLE
from understudy.events.calls import CallFailed, CallSucceeded
from understudy.events.decisions import Event
from understudy.events.exact import EXACT
from understudy.events.operations import AlertCleared, AlertRaised
from understudy.events.requests import RequestCompleted, RequestFailed, RequestResumed, RequestSuspended
from understudy.events.vocabulary import FailureKind, Finding, Mode, ServicePriority
from understudy.projections.provider_record import is_phantom, stock_key
from understudy.projections.standing import Standing
from understudy.projections.unused import LATE_SUCCESS, UNCLAIMED, alert_on, owed_key

LOCAL_FAULT = "local_fault"
MISCONFIGURED = "misconfigured"
INSUFFICIENT_FUNDS = "insufficient_funds"
SUSPENDED = "suspended"
EMERGENCY = "emergency"
PHANTOM_STOCK = "phantom_stock"
"""A provider says again and again that it has what it then refuses."""
CONTRADICTION = "contradiction"
"""An operator says one thing of a request, and its provider another."""
_UNSETTLED = frozenset({LATE_SUCCESS, UNCLAIMED, CONTRADICTION})
"""They stand until an operator says (once more) what became of the request, or until it has been undone by rule."""

_AGAINST: Mapping[bool, Mapping[Finding | None, str]] = {
    False: {Finding.SUCCEEDED: "has executed it", Finding.PENDING: "is still executing it"},
    True: {Finding.FAILED: "has failed to execute it", Finding.ABSENT: "does not know of it"},
}
"""What a look-up may say against an operator, who has said whether the request was executed."""

_LONG_US = 300_000_000
RAISING = frozenset({CallFailed, RequestSuspended})
"""The events that may raise an alert; others only clear one that stands."""


def due(standing: Standing, event: Event) -> AlertRaised | AlertCleared | None:
    """The alert event that must follow this event, which has been folded already; asked again until None."""
    aftermath = standing.leftovers.watched or standing.unused.owed
    if not standing.alerts and not aftermath and type(event) not in RAISING:
        return None
    match event:
        case CallFailed():
            return _after_failure(standing, event)
        case CallSucceeded():
            return _after_success(standing, event)
        case RequestSuspended(request_id=request_id, provider=provider, operation=operation):
            message = f"{operation} at {provider} may have been executed; it is held until that is known"
            return _raise(standing, SUSPENDED, request_id, message)
        case RequestResumed(request_id=request_id):
            return next(
                (AlertCleared(alert=name, subject=subject) for name, subject in unsettled(standing, request_id)), None
            )
        case RequestCompleted(request_id=request_id) | RequestFailed(request_id=request_id):
            return _clear(standing, SUSPENDED, request_id) or _of_the_unused(standing)
        case _:
            return None


def of_the_mode(standing: Standing) -> AlertRaised | AlertCleared | None:
    """That nothing but the emergency tier is left needs a person, where there is such a tier."""
    if standing.mode is Mode.EMERGENCY:
        if all(one.priority < ServicePriority.EMERGENCY for one in standing.policy.providers):
            return None
        return _raise(standing, EMERGENCY, "", "nobody above the emergency tier is able to serve")
    return _clear(standing, EMERGENCY, "") if standing.alerts else None


def local_fault_suspected(standing: Standing) -> bool:
    """Whether nearly all providers in use have failed on the network within seconds, so that we suspect ourselves.

    Whoever answers after the failures began speaks for our own connection: then it is the others who are ill. What a
    drill makes up says nothing of it.
    """
    policy = standing.policy
    since_us = standing.at_us - policy.local_fault_window_ms * 1000
    records = [standing.undrilled.get(name, one) for name, one in standing.providers.items()]
    in_use = [one for one in records if max(one.unreachable_us, one.answered_us) >= since_us]
    failing = [one for one in in_use if one.unreachable_us >= since_us and one.answered_us < one.unreachable_us]
    nearly_all = EXACT.multiply(policy.local_fault_share, len(in_use))
    if len(in_use) < policy.local_fault_min_providers or len(failing) < nearly_all:
        return False
    began_us = min(one.cut_off_us for one in failing)
    return all(one.answered_us < began_us for one in in_use)


def unsettled(standing: Standing, request_id: str) -> Iterator[tuple[str, str]]:
    """The alerts on what became of a request, by name and subject, that stand until an operator has had a last word."""
    for standing_alert in standing.alerts:
        name, _, subject = standing_alert.partition("|")
        if name in _UNSETTLED and subject.partition(" ")[0] == request_id:
            yield name, subject


def _after_failure(standing: Standing, event: CallFailed) -> AlertRaised | AlertCleared | None:
    if not standing.shielded and local_fault_suspected(standing):
        message = "nearly all providers fail on the network at once: look at our own connection first"
        return _raise(standing, LOCAL_FAULT, "", message)
    if standing.shielded and _somebody_answered(standing):
        return _clear(standing, LOCAL_FAULT, "")
    match event.outcome:
        case FailureKind.MISCONFIGURED:
            message = (
                f"{event.provider} does not accept our key or account: {event.message or event.code or 'no details'}"
            )
            return _raise(standing, MISCONFIGURED, event.provider, message)
        case FailureKind.INSUFFICIENT_FUNDS:
            return _raise(standing, INSUFFICIENT_FUNDS, event.provider, f"our account at {event.provider} lacks funds")
        case FailureKind.RATE_LIMITED if (event.retry_after_us or 0) >= _LONG_US:
            minutes = (event.retry_after_us or 0) // 60_000_000
            told = event.message or event.code or "no details"
            message = f"{event.provider} wants to be left alone for {minutes} minutes: {told}"
            return _raise(standing, LONG_THROTTLE, event.provider, message)
        case FailureKind.OUT_OF_STOCK:
            return _phantom(standing, event)
        case _:
            return None


def _phantom(standing: Standing, event: CallFailed) -> AlertRaised | None:
    belief = standing.stock.get(stock_key(event.provider, event.service, event.country))
    if belief is None or not is_phantom(belief, standing.policy):
        return None
    what = " ".join(one for one in (event.country, event.service) if one is not None)
    message = (
        f"{event.provider} says that it has {what or 'stock'}, and has refused {belief.refusals} times in a row:"
        " it is asked less and less often"
    )
    return _raise(standing, PHANTOM_STOCK, stock_key(event.provider, event.service, event.country), message)


def _phantom_over(standing: Standing) -> AlertCleared | None:
    """It has delivered, or says itself that there is nothing."""
    for standing_alert in standing.alerts:
        name, _, key = standing_alert.partition("|")
        if name == PHANTOM_STOCK and not is_phantom(standing.stock[key], standing.policy):
            return AlertCleared(alert=name, subject=key)
    return None


def _after_success(standing: Standing, event: CallSucceeded) -> AlertRaised | AlertCleared | None:
    if standing.shielded and _somebody_answered(standing):
        return _clear(standing, LOCAL_FAULT, "")
    if event.operation == LOOKUP and event.request_id in standing.leftovers.watched:
        return _late_success(standing, event)
    if event.operation == LOOKUP and standing.spoken and (contradiction := _contradiction(standing, event)):
        return contradiction
    return _accounted(standing, event.provider) or _phantom_over(standing)


def _of_the_unused(standing: Standing) -> AlertRaised | AlertCleared | None:
    """A request has ended: it was executed for nobody, perhaps, or it has undone another."""
    under_way = set(standing.unused.undoing.values())
    for key, owed in standing.unused.owed.items():
        alert = alert_on(standing.alerts, owed)
        if owed.done is None and alert is None and key not in under_way:
            message = (
                f"{owed.provider} has executed request {owed.request_id} ({_referenced(owed.reference)}), and nobody"
                f" has a use for it; it is undone there by {owed.undone_by}"
            )
            return AlertRaised(alert=UNCLAIMED, subject=owed.request_id, message=message)
        if owed.done is not None and alert is not None:
            name, _, subject = alert.partition("|")
            message = (
                f"{owed.provider} has undone it: {owed.undone_by} of {_referenced(owed.reference)},"
                f" by request {owed.done}"
            )
            return AlertCleared(alert=name, subject=subject, message=message)
    return None


def _accounted(standing: Standing, provider: str) -> AlertCleared | None:
    """What an answer says of an account there: the fold knows whether it was one that needs a key, or funds."""
    record = standing.providers[provider]
    if not record.misconfigured_us and (cleared := _clear(standing, MISCONFIGURED, provider)):
        return cleared
    if standing.at_us >= record.throttled_until_us and (cleared := _clear(standing, LONG_THROTTLE, provider)):
        return cleared
    return None if record.unfunded_us else _clear(standing, INSUFFICIENT_FUNDS, provider)


def _late_success(standing: Standing, event: CallSucceeded) -> AlertRaised | None:
    """A look-up finds, after a request has ended, what an earlier one did not."""
    request_id = event.request_id or ""
    left = standing.leftovers.watched[request_id].get(event.provider)
    if event.finding is not Finding.SUCCEEDED or left is None:
        return None
    if left.served_by is None:
        others = "its caller was told that it had failed"
    else:
        others = f"{left.served_by} had served it ({_referenced(left.reference)})"
    message = (
        f"{event.provider} has executed request {request_id} after all ({_referenced(event.reference)}), and {others}"
    )
    if owed_key(request_id, event.provider) in standing.unused.owed:
        message += f"; it is undone there by {left.undone_by}"
    # A request may have left something behind at several: each has an alert of its own.
    subject = f"{request_id} {event.provider}" if f"{LATE_SUCCESS}|{request_id}" in standing.alerts else request_id
    return _raise(standing, LATE_SUCCESS, subject, message)


def _referenced(reference: str | None) -> str:
    return "no reference" if reference is None else f"reference {reference}"


def _contradiction(standing: Standing, event: CallSucceeded) -> AlertRaised | None:
    """A look-up was under way when an operator spoke, and comes back with the opposite."""
    request_id = event.request_id or ""
    executed = standing.spoken.get(request_id)
    told = None if executed is None else _AGAINST[executed].get(event.finding)
    if told is None:
        return None
    reference = f" (reference {event.reference})" if event.reference is not None else ""
    said = "executed" if executed else "not executed"
    message = f"an operator says that request {request_id} was {said}, but {event.provider} {told}{reference}"
    return _raise(standing, CONTRADICTION, request_id, message)


def _somebody_answered(standing: Standing) -> bool:
    since_us = standing.alerts.get(f"{LOCAL_FAULT}|", 0)
    return any(record.answered_us > since_us for record in standing.providers.values())


def _raise(standing: Standing, alert: str, subject: str, message: str) -> AlertRaised | None:
    if f"{alert}|{subject}" in standing.alerts:
        return None
    return AlertRaised(alert=alert, subject=subject, message=message)


def _clear(standing: Standing, alert: str, subject: str) -> AlertCleared | None:
    return AlertCleared(alert=alert, subject=subject) if f"{alert}|{subject}" in standing.alerts else None
