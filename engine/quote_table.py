"""What would be quoted for a conversion now, and what decisions would say of it, without converting anything."""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal

from understudy.engine.acceptance import NOTHING_HIDDEN, Asked, check
from understudy.engine.consensus import judge
from understudy.engine.eligibility import asking, is_eligible, verdict
from understudy.engine.errors import InvalidRequest, ProviderError
from understudy.engine.operation import Operation
from understudy.engine.provider import Deadline, Request
from understudy.engine.quote_verdicts import NOT_ASKED
from understudy.engine.quoting import next_round
from understudy.engine.request_state import QUOTE, Progress, TakenQuote
from understudy.engine.runner import Runner
from understudy.engine.ticket import Ticket
from understudy.events.calls import CallStarted
from understudy.events.policy import Policy
from understudy.events.quotes import JudgedQuote, Quote
from understudy.events.record import record
from understudy.events.requests import RequestAccepted
from understudy.projections.standing import Standing


@record(kw_only=True)
class QuoteVerdict:
    """One provider's quote.

    Shape:  `verdict` is `eligible`, the veto against asking it, or what is held against its quote; `quote` is what it
            said, `judged` what that is worth; None where there is none. `message` is why it gave none, if it said so.
    """

    provider: str
    tier: int
    verdict: str
    quote: Quote | None = None
    judged: JudgedQuote | None = None
    message: str | None = None

    @property
    def net(self) -> Decimal | None:
        """What would be paid out after every fee."""
        return None if self.judged is None else self.judged.net

    @property
    def off_bp(self) -> int | None:
        """How far the rate is from the reference, in basis points."""
        return None if self.judged is None else self.judged.off_bp


async def quote_table(
    runner: Runner,
    policy: Policy,
    operation: Operation,
    *,
    context: Mapping[str, str],
    amount: Decimal | int | str,
    body: object,
) -> tuple[QuoteVerdict, ...]:
    """The quotes of the round that such a request would begin with, in the configured order of the providers.

    Errors: InvalidRequest.
    """
    if not operation.quoted:
        raise InvalidRequest(f"{operation.name} is not declared as quoted: Operation(name=…, quoted=True)")
    asked = check(operation, policy=policy, context=context, body=body, amount=amount)
    journal = runner.journal
    now_us = journal.now_us()
    accepted = RequestAccepted(
        request_id="",
        operation=operation.name,
        effect=asked.effect,
        deadline_at_us=now_us + asked.deadline_ms * 1000,
        pair=asked.columns["pair"],
        amount=asked.amount,
        quoted=True,
    )
    draw, progress = journal.system.draw(), Progress(accepted, now_us)
    begun = next_round(journal.ledger.standing, progress, tried=(), now_us=now_us, draw=draw)
    names = () if begun is None else begun.providers
    answers = await asyncio.gather(*(_ask(runner, asked, name) for name in names))
    return _table(journal.ledger.standing, accepted, answers, now_us=journal.now_us())


def _table(
    standing: Standing, accepted: RequestAccepted, answers: Sequence[tuple[TakenQuote, str | None]], *, now_us: int
) -> tuple[QuoteVerdict, ...]:
    _, judged = judge(standing, accepted, [one for one, _ in answers], now_us=now_us)
    answered = {one.provider: (one.quote, message) for one, message in answers}
    asked = asking(standing, accepted, tried=(), since_us=now_us, now_us=now_us)
    found = []
    for settings in standing.policy.providers:
        said, _ = verdict(standing, settings, asked, standing.serving_lane(settings.id, asked.context))
        quote, message = answered.get(settings.id, (None, None))
        one = judged.get(settings.id)
        if is_eligible(said) and (one is None or one.verdict is not None):
            said = NOT_ASKED if one is None else one.verdict or said
        found.append(
            QuoteVerdict(
                provider=settings.id,
                tier=int(settings.priority),
                verdict=said,
                quote=quote,
                judged=None if one is None else one.quote,
                message=message,
            )
        )
    return tuple(found)


async def _ask(runner: Runner, asked: Asked, provider: str) -> tuple[TakenQuote, str | None]:
    """One provider's quote, and why it gave none."""
    journal, policy = runner.journal, runner.journal.ledger.standing.policy
    event = CallStarted(
        provider=provider,
        operation=QUOTE,
        service=asked.columns.get("service"),
        country=asked.columns.get("country"),
        rental_id=asked.columns.get("rental_id"),
        pair=asked.columns.get("pair"),
        key="",
        deadline_at_us=journal.now_us() + policy.timeout_us(provider),
    )
    request = Request(
        request_id="",
        operation=asked.operation.name,
        effect=asked.effect,
        context={**asked.columns, **asked.labels},
        amount=asked.amount,
        body=asked.body,
    )
    ticket = Ticket(request, NOTHING_HIDDEN, "")
    deadline = Deadline(event.deadline_at_us, journal.now_us)
    quote = runner.caller.providers[provider].quote  # type: ignore[attr-defined]
    message = None
    try:
        await runner.side_call(event, ticket, lambda: quote(request, deadline=deadline))
    except ProviderError as error:
        message = error.message or error.kind.value
    told = getattr(ticket.answer, "quote", None)
    now_us = journal.now_us()
    return TakenQuote(provider, now_us, told, now_us + policy.quote_max_age_ms * 1000), message
