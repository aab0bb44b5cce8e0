"""Requests with an idempotency key: a repeat joins the first, whether it is under way, settled, or held."""

from dataclasses import replace
from typing import Any

from understudy.engine.acceptance import Asked, accept
from understudy.engine.errors import KeyConflict, OutcomeUnknown
from understudy.engine.journal import Journal
from understudy.engine.operation import Answer
from understudy.engine.outcome import answer_of, error_of
from understudy.engine.runner import Runner
from understudy.events.calls import CallSucceeded
from understudy.events.codec import decode
from understudy.events.requests import RequestCompleted, RequestFailed, RequestResumed
from understudy.events.sensitive import reveal, tokens_in


class Keyed:
    """The keys of requests under way, in memory; those of earlier ones are in the log."""

    def __init__(self, journal: Journal, runner: Runner) -> None:
        self._journal = journal
        self._runner = runner
        self._under_way: dict[tuple[str, str, str], tuple[str, Any]] = {}

    async def serve(self, asked: Asked) -> Answer:
        """Serve a request under its key, or join the one that has it.

        Errors: KeyConflict if that one was another request; else as the first request ended.
        """
        name = (asked.principal, asked.operation.name, asked.key or "")
        fingerprint = asked.fingerprint(self._journal.log.salt)
        first = self._under_way.get(name)
        if first is not None:
            _same(first[0], fingerprint, asked)
            return replace(await self._runner.follow(first[1]), joined=True)
        task = self._runner.spawn(self._first(asked, fingerprint), name=f"serve {asked.operation.name} by key")
        self._under_way[name] = (fingerprint, task)
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
        if claim is None:
            return await self._runner.serve(accept(journal, asked))
        _same(claim.body_hash, fingerprint, asked)
        return await self._recall(claim.request_id)

    async def _recall(self, request_id: str) -> Answer:
        """The end of an earlier request, from the log."""
        journal = self._journal
        if request_id in journal.ledger.requests:
            raise OutcomeUnknown(f"request {request_id} under this key is not settled yet", request_id=request_id)
        events = [decode(row) for row in await journal.log.request_rows(request_id)]
        reply, reference = None, None
        for event in events:
            match event:
                case CallSucceeded(reply=told, reference=its_reference, finding=finding):
                    if finding in {None, "succeeded"}:
                        reply, reference = told, its_reference
                case RequestResumed(executed=True, reference=its_reference):
                    reference = its_reference
                case RequestCompleted():
                    known = await journal.log.reveal(sorted(tokens_in(reply)))
                    return answer_of(event, reply=reveal(reply, known), reference=reference, joined=True)
                case RequestFailed():
                    raise error_of(event, {})
                case _:
                    pass
        raise OutcomeUnknown(f"request {request_id} under this key has no end in the log", request_id=request_id)


def _same(first: str, second: str, asked: Asked) -> None:
    if first != second:
        raise KeyConflict(
            f"idempotency key {asked.key!r} was used before for another {asked.operation.name};"
            " a key belongs to one request"
        )
