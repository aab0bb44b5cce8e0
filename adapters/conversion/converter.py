"""The converter as its users hold it: several conversion services, of which each conversion takes the best."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from understudy.adapters.archive.nightly import NightlyArchive
from understudy.adapters.conversion import figures
from understudy.adapters.conversion.checked_service import CheckedService
from understudy.adapters.conversion.conversion import Conversion, Offer
from understudy.adapters.conversion.figures import Stats
from understudy.adapters.conversion.files import described_services, read_settings, told_alerts
from understudy.adapters.conversion.notices import Handler, receiver
from understudy.adapters.conversion.offers import converted, offers
from understudy.adapters.conversion.services import arranged
from understudy.adapters.conversion.settings import ConverterSettings, settings_from
from understudy.adapters.conversion.wish import Amount, inquiry, wish
from understudy.adapters.providers.credentials import Credentials, EnvironmentCredentials
from understudy.adapters.providers.http_provider import HttpProvider
from understudy.engine.alert_channels import AlertDelivery
from understudy.engine.engine import Engine
from understudy.engine.operation import Operation
from understudy.engine.ports import Chore, System
from understudy.engine.provider import Provider
from understudy.engine.system import RealSystem
from understudy.events.log import EventLog
from understudy.events.policy import Policy
from understudy.events.vocabulary import Effect

H = TypeVar("H", bound=Handler)

CONVERT: Final = Operation(name="convert", effect=Effect.ONCE, quoted=True, sensitive=frozenset({"address", "memo"}))
"""The operation that every conversion is; where it goes is not in the log in clear."""


def _settle_ms(service: Provider, policy: Policy) -> int:
    """How long an "absent" of a service is not yet believed: as it says, else as long as one call may take.

    A service that has not answered in time may still be at it: believed at once, another would convert, too.
    """
    known = policy.by_id.get(service.id)
    own = int(getattr(service, "settle_ms", 0)) or (known.settle_ms if known is not None else 0)
    return own or policy.timeout_us(service.id) // 1000


def _chores(told: ConverterSettings) -> list[Chore]:
    return [] if told.archive is None else [NightlyArchive(told.archive)]


class MultiServiceConverter:
    """Converts coins through one of several services: the best honest quote wins, and nothing is converted twice.

    Use as `async with MultiServiceConverter(services=[…], log=…) as converter:`. The engine behind it is `engine`;
    where `enabled` is off, it has the first service alone.
    """

    def __init__(
        self,
        services: Sequence[Any],
        *,
        log: EventLog,
        system: System | None = None,
        watch: bool = True,
        closes: Sequence[HttpProvider] = (),
        alerts: AlertDelivery | Mapping[str, Any] | None = None,
        chores: Sequence[Chore] = (),
        **settings: Any,
    ) -> None:
        """Nothing happens before `start`.

        `services` are objects with `id`, `call` and `quote`; pairs of one and its settings; or tables such as
        `{"id": "simpleswap", "priority": 1, "weight": 0.3, "service": simpleswap}`. `settings` are those of a file, in
        either spelling. `watch` off: no pings, no inbox, no look at the wall clock. `closes` are closed in the end.
        `alerts` and `chores` are as of `Engine`; `alerts` may be that table of a file, too.
        Errors: SettingsError with all that is wrong with the settings; TypeError and ValueError for services.
        """
        objects, entries = arranged(services)
        table = {} if alerts is None or isinstance(alerts, AlertDelivery) else {"alerts": alerts}
        told = settings_from({**settings, **table, "services": entries}, source=type(self).__name__)
        first_only = None if told.enabled else 1
        used = dict(islice(objects.items(), first_only))
        self.enabled = told.enabled
        self._closes = tuple(closes)
        self._system = system or RealSystem()
        policy = told.policy.with_providers(told.policy.providers[:first_only])
        self.engine = Engine(
            providers=[CheckedService(one, settle_ms=_settle_ms(one, policy)) for one in used.values()],
            policy=policy,
            log=log,
            system=self._system,
            operations=[CONVERT],
            watch=watch,
            alerts=alerts if isinstance(alerts, AlertDelivery) else told_alerts(told, db=log.file, credentials=None),
            chores=[*chores, *_chores(told)],
        )
        self._receivers: dict[tuple[str, Handler], Any] = {}

    @classmethod
    def from_file(
        cls,
        path: Path | str,
        *,
        log: EventLog,
        credentials: Credentials | None = None,
        services: Sequence[Provider] = (),
        environment: Mapping[str, str] | None = None,
        alerts: AlertDelivery | None = None,
        **more: Any,
    ) -> Self:
        """A converter as a file has it.

        Services that are given as objects need no `api` there. `credentials` have the secrets that descriptions and
        the table `alerts` name; by default they are variables of the environment: those that the file's `secrets`
        lists, and those that `alerts` names. `environment` may have variables `UNDERSTUDY_…`, which come before the
        file. `alerts` stands in for that table. `more` are `system` and `watch`.
        Errors: SettingsError with all that is wrong, also with descriptions; TypeError and ValueError for services.
        """
        told = read_settings(Path(path), environment=environment)
        given = {one.id: one for one in services}
        keeper = credentials or EnvironmentCredentials(*told.secrets)
        made = described_services(told, credentials=keeper, given=given)
        known: dict[str, Provider] = {**given, **made}
        policy = told.policy
        return cls(
            [(known[one.id], one) for one in policy.providers],
            log=log,
            closes=list(made.values()),
            enabled=told.enabled,
            alerts=told_alerts(told, db=log.file, credentials=credentials) if alerts is None else alerts,
            chores=_chores(told),
            **{name: getattr(policy, name) for name in policy.model_fields_set - {"providers"}},
            **more,
        )

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Take the log over, and settle what an earlier run left open.

        Errors: as of `Engine.start`.
        """
        await self.engine.start()

    async def stop(self) -> None:
        """Let conversions end, and let the log go. Safe to repeat."""
        try:
            await self.engine.stop()
        finally:
            for one in self._closes:
                await one.close()

    async def convert(
        self,
        *,
        from_coin: str,
        to_coin: str,
        amount: Amount,
        address: str,
        network: str | None = None,
        memo: str | int | None = None,
        idempotency_key: str | None = None,
        deadline_ms: int | None = None,
    ) -> Conversion:
        """Convert an amount of one coin into another, which is sent to an address.

        `network` is the chain that the address is on, where the coin has several; `memo` its tag, where it needs one.
        A repeated `idempotency_key` joins the first conversion under it, also after a restart.
        Errors: InvalidRequest before anything is sent; RequestError as of `Engine.call`: of these only OutcomeUnknown
                may have been executed.
        """
        asked = wish(from_coin=from_coin, to_coin=to_coin, amount=amount, address=address, network=network, memo=memo)
        answer = await self.engine.call(
            CONVERT.name,
            context={"pair": asked.pair},
            amount=asked.amount,
            body=asked.body,
            idempotency_key=idempotency_key,
            deadline_ms=deadline_ms,
        )
        return converted(answer, asked, self.policy)

    async def quote(self, from_coin: str, to_coin: str, amount: Amount) -> tuple[Offer, ...]:
        """What every service would give now, and what a conversion would make of that; nothing is converted.

        Errors: InvalidRequest before anything is sent; as of `Engine.quotes`.
        """
        asked = inquiry(from_coin=from_coin, to_coin=to_coin, amount=amount)
        verdicts = await self.engine.quotes(
            CONVERT.name, context={"pair": asked.pair}, amount=asked.amount, body=asked.body
        )
        return offers(verdicts, asked, self.policy)

    def get_stats(self) -> Stats:
        """What has been done over the whole log."""
        return figures.stats(self.engine.standing, self.engine.health(), now_us=self._system.now_us())

    def status(self) -> dict[str, Any]:
        """How every service stands, as the documents' `/api/v1/multi-service/status` has it, ready for JSON."""
        return figures.status(self.engine.standing, self.engine.health(), now_us=self._system.now_us())

    def on(self, signal: str, handler: H) -> H:
        """Have a handler told of a signal: it is given one `Notice`, and awaited if it is async.

        Returns: the handler.
        Errors: ValueError for a signal that there is not.
        """
        if (signal, handler) not in self._receivers:
            self.engine.on(signal, made := receiver(signal, handler))
            self._receivers[signal, handler] = made
        return handler

    def off(self, signal: str, handler: Handler) -> None:
        """Tell a handler of a signal no more."""
        made = self._receivers.pop((signal, handler), None)
        if made is not None:
            self.engine.off(signal, made)

    @property
    def policy(self) -> Policy:
        """The policy in force, services included."""
        return self.engine.policy
