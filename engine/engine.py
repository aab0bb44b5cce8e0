"""The engine as its users hold it: open it on a log, call operations, look at the standing."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from blinker import Namespace

from understudy.engine import acceptance, background, chores, commands, drilling, resuming, room, running
from understudy.engine.alert_channels import AlertDelivery
from understudy.engine.chores import expect_distinct
from understudy.engine.cut_off import cut_off
from understudy.engine.effective import effective
from understudy.engine.errors import EngineClosed
from understudy.engine.health import ProviderHealth, health
from understudy.engine.hooks import Hooks
from understudy.engine.journal import Journal
from understudy.engine.keeping import Keeper
from understudy.engine.keyed import Keyed
from understudy.engine.messenger import Messenger
from understudy.engine.opening import ledger_of
from understudy.engine.operated import Operated
from understudy.engine.operation import Answer, Operation
from understudy.engine.ports import Chore, Identity, System, check_log
from understudy.engine.provider import Provider, Reply, by_id
from understudy.engine.quotes import QuoteVerdict, ask_everybody
from understudy.engine.runner import Runner
from understudy.engine.side_calls import side_call
from understudy.engine.system import RealSystem
from understudy.events.log import EventLog
from understudy.events.operations import EngineStopped
from understudy.events.policy import Policy
from understudy.events.vocabulary import Effect
from understudy.projections.standing import Standing

R = TypeVar("R", bound=Callable[..., Any])


class _AtWork(NamedTuple):
    """What an engine has from its start to its stop."""

    runner: Runner
    keyed: Keyed
    keeper: Keeper
    messenger: Messenger


class Engine(Operated):
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
        alerts: AlertDelivery | None = None,
        chores: Sequence[Chore] = (),
    ) -> None:
        """Nothing happens before `start`.

        `policy.providers` may configure the given providers further; those it does not name come after, with their own
        settings. `watch` off: no pings, no inbox, no look at the wall clock. `alerts` says how people are told besides
        by logging and signals. `chores` are done while it runs.
        Errors: ValueError for no provider at all, for repeated or unknown ids, and for two chores of one name;
                TypeError for what is no list of providers, no provider or no log.
        """
        check_log(log)
        expect_distinct(chores)
        self._providers = by_id(providers)
        self._policy = effective(policy or Policy(), self._providers, pinged=watch)
        self.follow_policy(self._policy)
        self._log = log
        self._system: System = system or RealSystem()
        self._operations = {one.name: one for one in operations}
        self._watch = watch
        self._alerts = alerts or AlertDelivery()
        self._chores = tuple(chores)
        self._hooks = Hooks(self)
        self._at_work: _AtWork | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Take the log over, restore the standing, and settle what an earlier run left open.

        Errors: LogInUse, NotALog, LogUnavailable; UnreadableEvent if an event that it builds on cannot be read.
        """
        identity = self._system.identity()
        await self._log.open(identity.writer)
        begun = False
        try:
            await self._begin(identity)
            begun = True
        finally:  # A start that failed half-way leaves no lock, no thread and no task behind.
            if not begun and self._at_work is not None:
                await self.stop(grace_ms=0)
            elif not begun:
                await self._let_go()

    async def _begin(self, identity: Identity) -> None:
        ledger = await ledger_of(self._log)
        with self._log.reader() as reader:
            rest = cut_off(reader, ledger)
        self._system.start_after(ledger.standing.at_us)
        journal = Journal(self._log, ledger, self._system)
        self._hooks.open(self._log)
        journal.hooks = self._hooks
        messenger = Messenger(journal, self._alerts)
        if rest is not None:
            journal.follow(*rest, at_us=ledger.standing.at_us)
        self.follow_policy(resuming.begin(journal, identity, self._policy))
        runner = Runner(journal, self._providers, self._operations)
        keeper = Keeper(journal, runner)
        journal.keep = keeper.take
        await resuming.resume(runner, self._operations)
        journal.operations = self._operations
        self._at_work = _AtWork(runner, Keyed(journal, runner), keeper, messenger)
        messenger.begin()
        running.entered(self)
        if self._watch:
            background.start(runner, self, messenger)
        chores.begin(runner, self._chores)

    async def stop(self, *, grace_ms: int | None = None) -> None:
        """Let requests end, note what is left, let the log go. Safe to repeat.

        `grace_ms` is how long requests may take to end; by default as long as one call may take.
        """
        running.left(self)
        at_work, self._at_work = self._at_work, None
        if at_work is None:
            return
        runner = at_work.runner
        drilling.close(runner)
        try:
            await runner.close(grace_s=(self._in_force.request_timeout_ms if grace_ms is None else grace_ms) / 1000)
            await at_work.messenger.close()
            runner.journal.note(EngineStopped(writer=self._system.identity().writer))
            await at_work.keeper.finish()
        finally:
            try:
                await at_work.messenger.close()
            finally:
                await self._let_go()

    async def _let_go(self) -> None:
        try:
            await self._hooks.close()
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
        only: str | None = None,
        undoes: str | None = None,
        max_price: Decimal | int | str | None = None,
    ) -> Answer:
        """Have an operation carried out by the best provider, or by `only` that one.

        `context` names what the request is about (`service`, `country`, `rental_id`, `pair` become columns). `effect`
        is `read` unless the operation is declared otherwise. A repeated `idempotency_key` joins the first request
        under it. `subject` is whose data the sensitive values are. Nobody is asked who is known to cost more than
        `max_price`. `undoes` is a request whose effect is taken back by this one: it is owed from then on, and should
        this one fail, the engine goes on by itself.
        Errors: InvalidRequest, EventRefused, LogUnavailable and KeyConflict before anything happened; RequestError
                after.
        """
        self._running()
        self._log.check()
        asked = acceptance.check(
            acceptance.declared(operation, self._operations, effect=effect),
            context=context or {},
            body=body,
            amount=amount,
            effect=effect,
            key=idempotency_key,
            principal=principal,
            subject=subject,
            deadline_ms=deadline_ms,
            policy=self._in_force,
            preferred=preferred,
            free_to_abandon=free_to_abandon,
            only=only,
            undoes=undoes,
            max_price=max_price,
        )
        return await self._serve(asked)

    async def _serve(self, asked: acceptance.Asked) -> Answer:
        runner, keyed, *_ = self._running()
        if not room.has_room(runner.journal, self._events_each):
            await room.make_room(runner.journal, self._events_each)
        if asked.key is not None:
            return await keyed.serve(asked)
        ticket = acceptance.accept(runner.journal, asked)
        if asked.effect is Effect.ONCE:
            return await runner.outliving(ticket)
        if asked.undoes is not None:
            return await runner.undoings.serve(ticket)
        return await runner.serve(ticket)

    async def ask(self, provider: str, operation: str, *, context: Mapping[str, str] | None = None) -> Reply:
        """Make one side call (`ping`, `stock` or `quote`) at one provider; it is logged, and its lane is its own.

        Errors: InvalidRequest if the provider cannot do that; ProviderError as the provider raised it;
                LogUnavailable if it could not be put on record.
        """
        runner = self._running().runner
        self._log.check()
        return await side_call(runner, self._in_force, provider, operation, context=context or {})

    async def quotes(self, operation: str, **asked: Any) -> tuple[QuoteVerdict, ...]:
        """What everybody would give now for a quoted operation: see `engine.quotes.ask_everybody`."""
        return await ask_everybody(self._running().runner, self._operations, operation, **asked)

    def on(self, signal: str, receiver: R) -> R:
        """Have a receiver told of a signal (`events.signals.SIGNALS`), as `receiver(engine, **says)`, until `off`.

        A coroutine function is awaited, a plain one runs in a thread. Returns the receiver.
        Errors: ValueError for a signal that there is not.
        """
        return self._hooks.signal(signal).connect(receiver)

    def off(self, signal: str, receiver: Callable[..., Any]) -> None:
        """Tell a receiver of a signal no more."""
        self._hooks.signal(signal).disconnect(receiver)

    @property
    def signals(self) -> Namespace:
        """The engine's own blinker signals, by name."""
        return self._hooks.signals

    def declares(self, operation: str) -> bool:
        """Whether the engine was given an operation of this name."""
        return operation in self._operations

    def health(self) -> list[ProviderHealth]:
        """How every provider stands now."""
        journal = self._running().runner.journal
        return health(journal.ledger.standing, journal.now_us())

    @property
    def policy(self) -> Policy:
        """The policy in force, providers included; before the first start, the one that is configured."""
        return self._in_force

    def follow_policy(self, policy: Policy) -> None:
        """Go on by another policy, which has been put on record."""
        self._in_force = policy
        self._events_each = room.events_of_a_request(policy)

    @property
    def unsettled(self) -> tuple[str, ...]:
        """The ids of requests that have not ended: under way, being settled, or held for an operator."""
        return tuple(self._running().runner.journal.ledger.requests)

    @property
    def standing(self) -> Standing:
        """What the log adds up to. A live record: read it, do not keep it."""
        return self._running().runner.journal.ledger.standing

    def _running(self) -> _AtWork:
        if self._at_work is None:
            raise EngineClosed("the engine is not running; use it inside `async with engine:`")
        return self._at_work

    def _wish(self, kind: type[commands.W], **fields: Any) -> None:
        runner = self._running().runner
        wish = commands.wished(kind, **fields)
        commands.carry_out(runner.journal, wish)
        background.heed(runner, self, wish)
