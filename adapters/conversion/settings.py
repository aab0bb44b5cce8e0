"""The settings of a converter, in the documents' own shape: what is said of it becomes the engine's policy.

Names are read as they are written, `maxParallelRequests` and `max_parallel_requests` alike. Besides those of the policy
there are a few that are the converter's alone; see `OWN`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from understudy.adapters.archive.settings import ArchiveSettings, archive_settings
from understudy.adapters.config import DEFAULT, policy_from, policy_over
from understudy.adapters.config_alerts import AlertSettings, alert_settings
from understudy.adapters.config_draft import POLICY, PROVIDER
from understudy.adapters.config_faults import Fault, PolicyFileError, shown
from understudy.adapters.conversion.coin_tables import EMERGENCY, by_known_coins
from understudy.events.names import did_you_mean_setting, setting
from understudy.events.policy import Policy

OWN: Final = ("enabled", "secrets", "alerts", "archive")
"""Off, `enabled` leaves the first service alone. `secrets` are the variables of the environment that descriptions of
services may name. `alerts` and `archive` are the tables that an engine's file has, too."""
API: Final = "api"
"""Of a service: the file that describes it."""
_USUAL: Final[Mapping[str, object]] = {"strategy": "weighted", "trust_ping": True, "retry_attempts": 0}
"""Where a converter differs from an engine, unless its settings say something."""

Values = Mapping[str, Any]


class SettingsError(PolicyFileError):
    """The settings of a converter cannot be used; `faults` has everything that is wrong, a line each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConverterSettings:
    """What a converter is told.

    Shape:  `policy` has the services as its providers. `apis` names the files that describe services, by their ids.
            `source` is where all this stands. `alerts` says how people are told, `archive` what is archived once a day.
    """

    policy: Policy
    enabled: bool = True
    secrets: tuple[str, ...] = ()
    alerts: AlertSettings = field(default_factory=AlertSettings)
    archive: ArchiveSettings | None = None
    apis: Mapping[str, str] = field(default_factory=dict)
    source: str = "settings"
    provenance: Mapping[str, str] = field(default_factory=dict)
    """Where each setting of the policy comes from, as of a `LoadedPolicy`; empty where no environment was asked."""


def settings_from(values: Values, *, source: str, environment: Mapping[str, str] | None = None) -> ConverterSettings:
    """The settings that a table makes; variables `UNDERSTUDY_…` of the environment come before it.

    Errors: SettingsError with all that is wrong.
    """
    reading = _Reading(source)
    rest = reading.own_of(values)
    reading.refuse_unknown(rest)
    rest = reading.services_of(rest)
    unsaid, provenance = _unsaid(rest), {}
    try:
        policy = policy_from({**unsaid, **rest}, source=source)
        if environment is not None:
            loaded = policy_over(policy, environment=environment, source=source)
            policy = loaded.policy
            usual = dict.fromkeys((name for name in unsaid if loaded.provenance[name] == source), DEFAULT)
            provenance = {**loaded.provenance, **usual}
    except PolicyFileError as error:
        raise SettingsError([*reading.faults, *error.faults]) from None
    spelt = next((key for key in rest if setting(key, known=POLICY) == EMERGENCY), EMERGENCY)
    policy, faults = by_known_coins(policy, source=source, emergency=spelt)
    if reading.faults or faults:
        raise SettingsError([*reading.faults, *faults])
    return ConverterSettings(policy=policy, apis=reading.apis, source=source, provenance=provenance, **reading.own)


class _Reading:
    """A table while it is read: what is the converter's own, and what is wrong."""

    def __init__(self, source: str) -> None:
        self.own: dict[str, Any] = {}
        self.apis: dict[str, str] = {}
        self.faults: list[Fault] = []
        self._source = source

    def own_of(self, values: Values) -> dict[str, Any]:
        """Take out what is not the policy's, and return the rest."""
        rest = {}
        for key, value in values.items():
            name = setting(key, known=OWN)
            if name is None:
                rest[key] = value
            elif name in self.own:
                self._refuse(key, "is said twice, in two spellings; keep one of the two")
            else:
                self.own[name] = self._checked(key, name, value)
        return rest

    def refuse_unknown(self, rest: dict[str, Any]) -> None:
        """Take out what means nothing here, and say what was meant: it may be one of our own names."""
        for key in [one for one in rest if setting(one, known=POLICY) is None and setting(one, known=PROVIDER) is None]:
            del rest[key]
            self._refuse(key, f"is unknown{did_you_mean_setting(key, [*POLICY, *OWN])}")

    def services_of(self, rest: Mapping[str, Any]) -> dict[str, Any]:
        """The rest with its services, which are left with what is the policy's."""
        return {
            key: self._services(value) if setting(key, known=POLICY) == "providers" else value
            for key, value in rest.items()
        }

    def _services(self, services: object) -> object:
        match services:
            case list() | tuple():
                return [self._service(one, label=f"service number {n}") for n, one in enumerate(services, start=1)]
            case dict():
                return {
                    name: self._service(one, label=f"service {name!r}", name=name) for name, one in services.items()
                }
            case _:
                return services

    def _service(self, one: object, *, label: str, name: object = None) -> object:
        """A service without its `api`, which is noted."""
        if not isinstance(one, dict) or API not in one:
            return one
        name, path = one.get("id", name), one[API]
        if not isinstance(path, str) or not path:
            self._refuse(f"{label}: {API}", f"is {shown(path)}; it must be the path of a file that describes services")
        elif isinstance(name, str):
            self.apis[name] = path
        return {key: value for key, value in one.items() if key != API}

    def _checked(self, key: str, name: str, value: object) -> object:
        match name:
            case "secrets":
                if isinstance(value, list | tuple) and all(isinstance(one, str) and one for one in value):
                    return tuple(value)
                self._refuse(key, f"is {shown(value)}; it must be a list of names of variables of the environment")
            case "alerts" | "archive":
                return self._table(name, value)
            case _ if not isinstance(value, bool):
                self._refuse(key, f"is {shown(value)}; it must be true or false")
        return value

    def _table(self, name: str, value: object) -> object:
        """A table that is read as in an engine's file."""
        try:
            return (alert_settings if name == "alerts" else archive_settings)(value, source=self._source)
        except PolicyFileError as error:
            self.faults += error.faults
            return None

    def _refuse(self, key: str, what: str) -> None:
        self.faults.append(Fault(source=self._source, where=key, what=what))


def _unsaid(values: Values) -> dict[str, object]:
    """The usual values of what nobody has said."""
    said = set(_names(values))
    return {name: value for name, value in _USUAL.items() if name not in said}


def _names(values: Values) -> Iterator[str]:
    for key in values:
        name = setting(key, known=POLICY)
        if name is not None:
            yield name
