"""Quotes outside any request: what everybody would give now, judged as a decision would judge it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from understudy.engine.acceptance import Asked, check, declared, discretion_of
from understudy.engine.assess import Assessed, assess_all, assess_observed
from understudy.engine.columns import columns_in
from understudy.engine.consensus import Judgement, judge
from understudy.engine.eligibility import asking
from understudy.engine.errors import InvalidRequest, ProviderError
from understudy.engine.operation import Operation
from understudy.engine.provider import Deadline, Reply, Request
from understudy.engine.request_state import QUOTE, TakenQuote
from understudy.engine.runner import Runner
from understudy.engine.ticket import Ticket
from understudy.events.calls import CallStarted
from understudy.events.policy import Policy
from understudy.events.quotes import Quote
from understudy.events.requests import RequestAccepted
from understudy.events.vocabulary import Effect

_NOBODY: Final = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteVerdict:
    """What one provider would give, and what a decision would say of it.

    Shape:  `verdict` is `eligible`, or what stands against the provider or its quote; who is not asked for the former
            has no `quote`. `message` says why it gave none.
    Units:  as of `JudgedQuote`.
    """

    provider: str
    tier: int
    verdict: str
    quote: Quote | None = None
    net: Decimal | None = None
    off_bp: int | None = None
    message: str | None = None


async def ask_everybody(
    runner: Runner,
    operations: Mapping[str, Operation],
    operation: str,
    *,
    context: Mapping[str, str],
    amount: Decimal | int | str,
    body: Any = None,
) -> tuple[QuoteVerdict, ...]:
    """Have everybody asked for a quote who may be, all at once; each call is on record, and no request is made of it.

    Errors: InvalidRequest, as of `Engine.call`; LogUnavailable if it cannot be put on record.
    """
    journal = runner.journal
    journal.log.check()
    asked = _asked(operation, operations, context, amount, body, policy=journal.ledger.standing.policy)
    now_us = journal.now_us()
    accepted = RequestAccepted(
        request_id=_NOBODY,
        operation=operation,
        effect=asked.effect,
        deadline_at_us=now_us + asked.deadline_ms * 1000,
        amount=asked.amount,
        quoted=True,
        **columns_in(asked.columns),
    )
    standing = journal.ledger.standing
    asked_of = asking(standing, accepted, tried=(), since_us=now_us, now_us=now_us)
    aside = {one.provider: one for one in assess_observed(standing, asked_of)}
    every = [aside.get(one.provider, one) for one in assess_all(standing, asked_of)]
    found = await asyncio.gather(*(_ask(runner, one.provider, asked) for one in every if one.eligible))
    taken = {quote.provider: quote for quote, _ in found}
    _, judged = judge(standing, accepted, list(taken.values()), now_us=journal.now_us())
    messages = {quote.provider: message for quote, message in found}
    return tuple(_verdict(one, taken.get(one.provider), judged, messages) for one in every)


def _asked(
    operation: str,
    operations: Mapping[str, Operation],
    context: Mapping[str, str],
    amount: Decimal | int | str,
    body: Any,
    *,
    policy: Policy,
) -> Asked:
    """What is asked about, checked as a request is."""
    known = declared(operation, operations, effect=None)
    if not known.quoted:
        raise InvalidRequest(f"{operation} is not declared as quoted: Operation(name={operation!r}, quoted=True)")
    return check(known, policy=policy, context=context, body=body, amount=amount)


def _verdict(
    one: Assessed, taken: TakenQuote | None, judged: Mapping[str, Judgement], messages: Mapping[str, str | None]
) -> QuoteVerdict:
    its = judged.get(one.provider)
    figures = None if its is None else its.quote
    return QuoteVerdict(
        provider=one.provider,
        tier=one.tier,
        verdict=one.verdict if its is None or its.verdict is None else its.verdict,
        quote=None if taken is None else taken.quote,
        net=None if figures is None else figures.net,
        off_bp=None if figures is None else figures.off_bp,
        message=messages.get(one.provider),
    )


async def _ask(runner: Runner, provider: str, asked: Asked) -> tuple[TakenQuote, str | None]:
    """What one provider answers, and why it gives no quote."""
    journal = runner.journal
    policy = journal.ledger.standing.policy
    event = CallStarted(
        provider=provider,
        operation=QUOTE,
        key="",
        **columns_in(asked.columns),
        deadline_at_us=journal.now_us() + policy.timeout_us(provider),
    )
    context = {**asked.columns, **asked.labels}
    request = Request(
        request_id=_NOBODY, operation=QUOTE, effect=Effect.READ, context=context, amount=asked.amount, body=asked.body
    )
    deadline = Deadline(event.deadline_at_us, journal.now_us)
    ticket = Ticket(request, discretion_of(journal, asked), "")
    quote = runner.caller.providers[provider].quote  # type: ignore[attr-defined] # Who has none is not eligible.
    try:
        await runner.side_call(event, ticket, lambda: quote(request, deadline=deadline))
    except ProviderError as error:
        return TakenQuote(provider, journal.now_us()), error.message or error.kind.value
    told = ticket.answer.quote if isinstance(ticket.answer, Reply) else None
    at_us = journal.now_us()
    good_until_us = at_us + policy.quote_max_age_ms * 1000
    if told is not None and told.expires_at_us is not None:
        good_until_us = min(good_until_us, told.expires_at_us)
    return TakenQuote(provider, at_us, told, good_until_us), None if told is not None else "it gave no quote"
