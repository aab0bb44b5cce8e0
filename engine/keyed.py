"""Requests with an idempotency key: a repeat joins the first, whether it is under way, settled, or held."""

from dataclasses import replace
from typing import Any

from understudy.engine.acceptance import Asked, accept
from understudy.engine.errors import KeyConflict, OutcomeUnknown
from understudy.engine.in_doubt import provider_settings
from understudy.engine.journal import Journal
from understudy.engine.key_conflict import conflict, difference, terms_accepted, terms_asked
from understudy.engine.operation import Answer
from understudy.engine.outcome import answer_of, error_of, only_resolved
from understudy.engine.provider import Reply
from understudy.engine.recovery import doubt_of_held
from understudy.engine.runner import Runner
from understudy.events.calls import CallSucceeded
from understudy.events.codec import decode
from understudy.events.decisions import Candidate, DecisionMade
from understudy.events.fact import Fact
from understudy.events.quotes import Quote
from understudy.events.requests import RequestAccepted, RequestCompleted, RequestFailed, RequestResumed
from understudy.events.sensitive import reveal, tokens_in
from understudy.events.vocabulary import Finding


class Keyed:
    """The keys of requests under way, in memory; those of earlier ones are in the log."""

    def __init__(self, journal: Journal, runner: Runner) -> None:
        self._journal = journal
        self._runner = runner
        self._under_way: dict[tuple[str, str, str], tuple[str, Asked, Any]] = {}
        self._left = {
            _name(state.progress.accepted): request_id
            for request_id, state in journal.ledger.requests.items()
            if state.progress.accepted.key is not None
        }
        """Requests that nobody waits for any more, or no longer here, and that may not be settled."""

    async def serve(self, asked: Asked) -> Answer:
        """Serve a request under its key, or join the one that has it.

        Errors: KeyConflict if that one was another request; else as the first request ended.
        """
        name = (asked.principal, asked.operation.name, asked.key or "")
        salt = self._journal.log.salt
        fingerprint = asked.fingerprint(salt)
        first = self._under_way.get(name)
        if first is not None:
            theirs, other, task = first
            if theirs != fingerprint:
                differing = difference(terms_asked(other, salt), terms_asked(asked, salt))
                raise conflict(asked, first="one that is under way", differing=differing)
            return replace(await self._runner.follow(task), joined=True)
        task = self._runner.spawn(self._first(asked, fingerprint), name=f"serve {asked.operation.name} by key")
        self._under_way[name] = (fingerprint, asked, task)
        task.add_done_callback(lambda _: self._under_way.pop(name, None))
        return await self._runner.follow(task)

    async def _first(self, asked: Asked, fingerprint: str) -> Answer:
        journal = self._journal
        claim = await journal.log.claim(
            principal=asked.principal,
            operation=asked.operation.name,
            key=asked.key or "",
            at_us=journal.now_us(),
        )
        if claim is not None:
            if claim.body_hash != fingerprint:
                rows = await journal.log.request_rows(claim.request_id)
                raise self._conflict(asked, claim.request_id, decode(rows[0]) if rows else None)
            return await self._recall(claim.request_id)
        held = self._unsettled(asked)
        if held is not None:
            if held.body_hash != fingerprint:
                raise self._conflict(asked, held.request_id, held)
            return await self._recall(held.request_id)
        ticket = accept(journal, asked)
        try:
            return await self._runner.serve(ticket)
        finally:
            if (state := journal.ledger.requests.get(ticket.request_id)) is not None:
                self._left[_name(state.progress.accepted)] = ticket.request_id

    def _conflict(self, asked: Asked, request_id: str, first: Fact | None) -> KeyConflict:
        known = terms_accepted(first) if isinstance(first, RequestAccepted) else None
        differing = difference(known, terms_asked(asked, self._journal.log.salt))
        return conflict(asked, first=request_id, differing=differing)

    def _unsettled(self, asked: Asked) -> RequestAccepted | None:
        """A request that still has this key though its claim has run out: one that is held for so long."""
        name = (asked.principal, asked.operation.name, asked.key or "")
        state = self._journal.ledger.requests.get(self._left.get(name, ""))
        if state is not None:
            return state.progress.accepted
        self._left.pop(name, None)
        return None

    async def _recall(self, request_id: str) -> Answer:
        """The end of an earlier request, from the log."""
        journal = self._journal
        if request_id in journal.ledger.requests:
            raise self._not_settled(request_id)
        await journal.log.durable(journal.log.head.seq)  # What a crash may take back is not told twice.
        events = [decode(row) for row in await journal.log.request_rows(request_id)]
        answer, quotes = Reply(), dict[str, Quote]()
        candidates: tuple[Candidate, ...] = ()
        for event in events:
            match event:
                case CallSucceeded(provider=provider, quote=Quote() as quote):
                    quotes[provider] = quote
                case CallSucceeded(reply=reply, finding=None | Finding.SUCCEEDED):
                    answer = Reply(value=reply, reference=event.reference, cost=event.cost, amount_out=event.amount_out)
                case RequestResumed(executed=True, reference=reference):
                    answer = replace(answer, reference=reference)
                case RequestCompleted():
                    known = await journal.log.reveal(sorted(tokens_in(answer.value)))
                    answer = replace(answer, value=reveal(answer.value, known))
                    return answer_of(event, answer=answer, quote=quotes.get(event.provider), joined=True)
                case DecisionMade():
                    candidates = event.candidates
                case RequestFailed():
                    raise error_of(event, candidates)
                case _:
                    pass
        raise OutcomeUnknown(f"request {request_id} under this key has no end in the log", request_id=request_id)

    def _not_settled(self, request_id: str) -> OutcomeUnknown:
        """The error of an earlier request that has no end yet."""
        ledger = self._journal.ledger
        message = f"request {request_id} under this key is not settled yet"
        doubt = doubt_of_held(ledger, request_id)
        if doubt is not None and not provider_settings(ledger.standing.policy, doubt.turn.provider).has_lookup:
            message += f". {only_resolved(request_id, doubt.turn.provider, file=self._journal.log.file)}"
        return OutcomeUnknown(message, request_id=request_id)


def _name(accepted: RequestAccepted) -> tuple[str, str, str]:
    return accepted.principal, accepted.operation, accepted.key or ""
