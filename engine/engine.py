"""The engine as its users hold it: open it on a log, call operations, look at the standing."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from understudy.engine import acceptance, background, commands, recovery
from understudy.engine.commands import ClearOverride, Probe, Resolve, SetOverride
from understudy.engine.decide import RULES_VERSION
from understudy.engine.errors import EngineClosed, InvalidRequest
from understudy.engine.health import ProviderHealth, health
from understudy.engine.journal import Journal
from understudy.engine.keeping import Keeper
from understudy.engine.keyed import Keyed
from understudy.engine.operation import Answer, Operation
from understudy.engine.ports import Identity, System, check_log
from understudy.engine.provider import Deadline, Provider, Reply, Request, check_provider, settings_of
from understudy.engine.restore import Restoration, restore
from understudy.engine.runner import Runner
from understudy.engine.system import RealSystem
from understudy.engine.ticket import Ticket
from understudy.events.calls import CallStarted
from understudy.events.log import EventLog
from understudy.events.operations import (
    EngineStarted,
    EngineStopped,
    PolicyActivated,
)
from understudy.events.policy import Policy
from understudy.events.vocabulary import Effect, ForcedState
from understudy.projections.standing import Standing


class Engine:
    """Picks a provider for each request, fails over without doing anything twice, and logs every call and decision.

    Use as `async with Engine(providers=…, log=…) as engine:`. One engine owns its log; a second one is refused.
    """

    def __init__(
        self,
        *,
        providers: Sequence[Provider],
        log: EventLog,
        policy: Policy | None = None,
        system: System | None = None,
        operations: Sequence[Operation] = (),
        watch: bool = True,
    ) -> None:
        """Nothing happens before `start`.

        `policy.providers` may configure the given providers further; those it does not name come after, with their own
        settings. `watch` off: no pings, no inbox, no look at the wall clock.
        Errors: ValueError for repeated or unknown provider ids, TypeError for what is no provider or no log.
        """
        check_log(log)
        for one in providers:
            check_provider(one)
        self._providers = {one.id: one for one in providers}
        if len(self._providers) != len(providers):
            raise ValueError("two providers have the same id; ids must be unique")
        self._policy = _effective(policy or Policy(), self._providers, pinged=watch)
        self._events_each = acceptance.events_of_a_request(self._policy)
        self._log = log
        self._system: System = system or RealSystem()
        self._operations = {one.name: one for one in operations}
        self._watch = watch
        self._runner: Runner | None = None
        self._keyed: Keyed | None = None
        self._keeper: Keeper | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Take the log over, restore the standing, and settle what an earlier run left open.

        Errors: LogInUse, NotALog, LogUnavailable.
        """
        identity = self._system.identity()
        await self._log.open(identity.writer)
        try:
            await self._begin(identity)
        finally:
            if self._runner is None:
                await self._log.close()  # A start that failed half-way leaves no lock and no thread behind.

    async def _begin(self, identity: Identity) -> None:
        with self._log.reader() as reader:
            if self._log.lasting:
                restoration = Restoration(reader)
                for block in restoration.blocks():
                    await self._log.save_block(block)
                ledger = restoration.ledger
            else:
                ledger = restore(reader)
        self._system.start_after(ledger.standing.at_us)
        journal = Journal(self._log, ledger, self._system)
        journal.note(
            EngineStarted(
                version=identity.version,
                rules_version=RULES_VERSION,
                python=identity.python,
                writer=identity.writer,
            )
        )
        if ledger.standing.policy_hash != self._policy.content_hash:
            journal.note(PolicyActivated(policy=self._policy, policy_hash=self._policy.content_hash))
        runner = Runner(journal, self._providers)
        self._keeper = Keeper(journal, runner)
        journal.keep = self._keeper.take
        self._keyed = Keyed(journal, runner)
        for event in recovery.interruptions(ledger, journal.now_us()):
            journal.note(event)
        for ticket in await recovery.tickets(journal, self._operations):
            runner.spawn(runner.settle(ticket), name=f"settle {ticket.request_id}")
        self._runner = runner
        if self._watch:
            background.start(runner, self)

    async def stop(self) -> None:
        """Let requests end (no longer than one call may take), note what is left, let the log go. Safe to repeat."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        try:
            await runner.close(grace_s=self._policy.request_timeout_ms / 1000)
            journal = runner.journal
            journal.note(EngineStopped(writer=self._system.identity().writer))
            if self._keeper is not None:
                await self._keeper.finish()
        finally:
            await self._log.close()

    async def call(
        self,
        operation: str,
        *,
        context: Mapping[str, str] | None = None,
        body: Any = None,
        amount: Decimal | int | str | None = None,
        effect: Effect | str | None = None,
        idempotency_key: str | None = None,
        principal: str = "",
        subject: str | None = None,
        deadline_ms: int | None = None,
        preferred: str | None = None,
        free_to_abandon: bool | None = None,
    ) -> Answer:
        """Have an operation carried out by the best provider.

        `context` names what the request is about (`service`, `country`, `rental_id`, `pair` become columns). `effect`
        is `read` unless the operation is declared otherwise. A repeated `idempotency_key` joins the first request
        under it. `subject` is whose data the sensitive values are.
        Errors: InvalidRequest, EventRefused, LogUnavailable and KeyConflict before anything happened; RequestError
                after.
        """
        runner = self._running()
        self._log.check()
        declared = acceptance.declared(operation, self._operations)
        asked = acceptance.check(
            declared,
            context=context or {},
            body=body,
            amount=amount,
            effect=effect,
            key=idempotency_key,
            principal=principal,
            subject=subject,
            deadline_ms=deadline_ms,
            policy=self._policy,
            preferred=preferred,
            free_to_abandon=free_to_abandon,
        )
        if not acceptance.has_room(runner.journal, self._events_each):
            await acceptance.make_room(runner.journal, self._events_each)
        if asked.key is not None and self._keyed is not None:
            return await self._keyed.serve(asked)
        ticket = acceptance.accept(runner.journal, asked)
        if asked.effect is Effect.ONCE:
            return await runner.outliving(ticket)
        return await runner.serve(ticket)

    async def ask(self, provider: str, operation: str, *, context: Mapping[str, str] | None = None) -> Reply:
        """Make one side call (`ping`, `stock` or `quote`) at one provider; it is logged, and its lane is its own.

        Errors: InvalidRequest if the provider cannot do that; ProviderError as the provider raised it;
                LogUnavailable if it could not be put on record.
        """
        runner = self._running()
        self._log.check()
        one = self._providers.get(provider)
        function = getattr(one, operation, None) if operation in {"ping", "stock", "quote"} else None
        if function is None:
            raise InvalidRequest(f"{provider!r} has no {operation!r} to ask; side calls are ping, stock and quote")
        columns, labels = acceptance.split(context or {})
        now_us = runner.journal.now_us()
        timeout_ms = self._policy.by_id[provider].request_timeout_ms or self._policy.request_timeout_ms
        event = CallStarted(
            provider=provider,
            operation=operation,
            service=columns.get("service"),
            country=columns.get("country"),
            rental_id=columns.get("rental_id"),
            pair=columns.get("pair"),
            key="",
            deadline_at_us=now_us + timeout_ms * 1000,
        )
        request = Request(request_id="", operation=operation, effect=Effect.READ, context={**columns, **labels})
        ticket = Ticket(request, acceptance.NOTHING_HIDDEN, "")
        deadline = Deadline(event.deadline_at_us, runner.journal.now_us)
        await runner.caller.side_call(
            event, ticket, function if operation == "ping" else lambda: function(request, deadline=deadline)
        )
        return ticket.answer if isinstance(ticket.answer, Reply) else Reply(value=ticket.answer.value)

    def override(
        self, provider: str, state: ForcedState | str, *, actor: str, reason: str, for_ms: int | None = None
    ) -> None:
        """Force a provider's state.

        `open` is never called, `closed` is called whatever its circuit says, `drain` gets nothing new.
        """
        self._wish(SetOverride, provider=provider, state=state, for_ms=for_ms, actor=actor, reason=reason)

    def clear_override(self, provider: str, *, actor: str, reason: str) -> None:
        """Take a forced state back, or declare a misconfigured provider fixed."""
        self._wish(ClearOverride, provider=provider, actor=actor, reason=reason)

    def probe(self, provider: str, *, actor: str, reason: str) -> None:
        """Find out now whether a provider is well again: ping it if that can be done, end the rest of its circuit.

        Errors: InvalidRequest if there is nothing to probe, or if it is forced open or drained.
        """
        self._wish(Probe, provider=provider, actor=actor, reason=reason)

    def resolve(
        self, request_id: str, *, executed: bool, actor: str, reason: str, reference: str | None = None
    ) -> None:
        """Decide, as an operator, what became of a suspended request.

        Errors: InvalidRequest if no such request is held.
        """
        fields = {"request_id": request_id, "executed": executed, "reference": reference}
        self._wish(Resolve, **fields, actor=actor, reason=reason)

    def health(self) -> list[ProviderHealth]:
        """How every provider stands now."""
        journal = self._running().journal
        return health(journal.ledger.standing, journal.now_us())

    @property
    def policy(self) -> Policy:
        """The policy in force, providers included."""
        return self._policy

    @property
    def unsettled(self) -> tuple[str, ...]:
        """The ids of requests that have not ended: under way, being settled, or held for an operator."""
        return tuple(self._running().journal.ledger.requests)

    @property
    def standing(self) -> Standing:
        """What the log adds up to. A live record: read it, do not keep it."""
        return self._running().journal.ledger.standing

    def _running(self) -> Runner:
        if self._runner is None:
            raise EngineClosed("the engine is not running; use it inside `async with engine:`")
        return self._runner

    def _wish(self, kind: type[commands.W], **fields: Any) -> None:
        runner = self._running()
        wish = commands.wished(kind, **fields)
        commands.carry_out(runner.journal, wish)
        background.heed(runner, self, wish)


def _effective(policy: Policy, providers: Mapping[str, Provider], *, pinged: bool) -> Policy:
    configured = {settings.id: settings for settings in policy.providers}
    unknown = [name for name in configured if name not in providers]
    if unknown:
        raise ValueError(
            f"the policy configures {unknown[0]!r}, which is not among the providers: {', '.join(providers)}"
        )
    ordered = [*configured, *(name for name in providers if name not in configured)]
    return policy.with_providers(settings_of(providers[name], configured, pinged=pinged) for name in ordered)
