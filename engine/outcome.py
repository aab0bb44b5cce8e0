"""What a caller is told about the end of a request."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from understudy.engine.eligibility import OPEN_ENDED, is_eligible
from understudy.engine.errors import (
    AllProvidersFailed,
    DeadlineExceeded,
    NoHonestQuote,
    NoProviderAvailable,
    OutcomeUnknown,
    RequestError,
    RequestInterrupted,
    RequestRejected,
)
from understudy.engine.operation import Answer
from understudy.engine.provider import Found, Reply
from understudy.engine.reports import exactly
from understudy.events.decisions import Candidate
from understudy.events.quotes import Quote
from understudy.events.requests import RequestCompleted, RequestFailed, RequestSuspended
from understudy.events.vocabulary import EndReason, SuspendReason

_ERRORS: Final[Mapping[EndReason, type[RequestError]]] = {
    EndReason.EXHAUSTED: AllProvidersFailed,
    EndReason.REJECTED: RequestRejected,
    EndReason.DEADLINE: DeadlineExceeded,
    EndReason.CANCELLED: RequestInterrupted,
    EndReason.INTERRUPTED: RequestInterrupted,
    EndReason.NOT_EXECUTED: RequestInterrupted,
}


def answer_of(
    end: RequestCompleted, *, answer: Reply | Found, quote: Quote | None = None, joined: bool = False
) -> Answer:
    """The answer of a request that was served, on a quote if there was one."""
    return Answer(
        provider=end.provider,
        reply=answer.value,
        request_id=end.request_id,
        failovers=end.failovers,
        attempts=end.attempt,
        via=end.via.value,
        reference=answer.reference,
        joined=joined,
        cost=exactly(answer.cost) if isinstance(answer, Reply) and answer.cost is not None else None,
        quote=quote,
        amount_out=answer.amount_out,
    )


def error_of(end: RequestFailed, candidates: Sequence[Candidate]) -> RequestError:
    """The error of a request that was not; the candidates are those of its latest decision."""
    if end.reason is EndReason.NO_PROVIDER:
        vetoes = {one.provider: one.verdict for one in candidates}
        until_us = min((one.until_us for one in candidates if _has_end(one) and one.until_us), default=None)
        reasons = "; ".join(f"{provider}: {veto}" for provider, veto in vetoes.items()) or "none is configured"
        message = f"no provider may be asked for {end.operation}: {reasons} (request {end.request_id})"
        return NoProviderAvailable(message, request_id=end.request_id, vetoes=vetoes, until_us=until_us)
    if end.reason is EndReason.NO_HONEST_QUOTE:
        return NoHonestQuote(_quotes_told(end, candidates), request_id=end.request_id, candidates=candidates)
    reasons = ", ".join(f"{one.provider}: {one.verdict}" for one in candidates if not is_eligible(one.verdict))
    nobody = f"nobody was asked ({reasons})" if reasons else "nobody was asked"
    tried = f"tried {', '.join(end.tried)}" if end.tried else nobody
    last = f"; last: {end.last_outcome}" if end.last_outcome else ""
    told = f": {end.last_message}" if end.last_message else ""
    if end.reason is EndReason.INTERRUPTED:
        told += "; an engine ended before it was served: ask anew, under a new key if it had one"
    message = f"{end.operation} failed ({end.reason}), {tried}{last}{told} (request {end.request_id})"
    return _ERRORS[end.reason](message, request_id=end.request_id)


def _quotes_told(end: RequestFailed, candidates: Sequence[Candidate]) -> str:
    """The table of quotes, a line each: what was offered, and what is held against it."""
    lines = [f"no quote for {end.operation} can be trusted, so nothing was moved (request {end.request_id}):"]
    for one in candidates:
        told = ""
        if one.quote is not None:
            off = "" if one.quote.off_bp is None else f", {one.quote.off_bp:+} bp off the reference"
            told = f" (rate {one.quote.rate}, pays out {one.quote.net}{off})"
        lines.append(f"  {one.provider}: {one.verdict}{told}")
    return "\n".join(lines)


def _has_end(one: Candidate) -> bool:
    return one.verdict not in OPEN_ENDED


def unknown_of(held: RequestSuspended, *, file: str | None) -> OutcomeUnknown:
    """The error of a request that is held; `file` is the log's."""
    message = (
        f"{held.operation} at {held.provider} may have been executed ({held.reason});"
        f" request {held.request_id} is held until that is known"
    )
    if held.reason is SuspendReason.NO_LOOKUP:
        message += f". {only_resolved(held.request_id, held.provider, file=file)}"
    return OutcomeUnknown(message, request_id=held.request_id)


def only_resolved(request_id: str, provider: str, *, file: str | None) -> str:
    """That nothing but an operator's word settles a request, and how that is given; `file` is the log's."""
    means = "`engine.resolve`" if file is None else f"`{resolve_line(request_id, file=file)}` (or --not-executed)"
    return f"{provider} has no look-up, so only an operator's word settles it: {means}"


def resolve_line(request_id: str, *, file: str) -> str:
    """What an operator types who knows that a request was executed."""
    return f"understudy resolve {shlex.quote(file)} {request_id} --executed REF --reason TEXT"


def stopped(request_id: str) -> RequestInterrupted:
    """The error of a request that may be given up, and was, because the engine stopped."""
    return RequestInterrupted(f"the engine was stopped; request {request_id} was given up", request_id=request_id)
