"""The policy from a file and the environment: what each source says, checked as a whole, everything wrong told at once.

A variable of the environment comes before the file (or what a scenario says), that before the defaults, setting by
setting.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from understudy.adapters.archive.nightly import NightlyArchive
from understudy.adapters.archive.settings import ArchiveSettings, archive_settings
from understudy.adapters.config_alerts import AlertSettings, alert_settings
from understudy.adapters.config_draft import POLICY, PROVIDER, Draft, Place
from understudy.adapters.config_environment import take_environment
from understudy.adapters.config_faults import Fault, Origin, PolicyFileError, fault_at, shown, together
from understudy.adapters.config_files import read_values
from understudy.adapters.config_schema import Setting
from understudy.engine.ports import Chore
from understudy.events.drill_schedule import SCHEDULE
from understudy.events.names import did_you_mean, snake_case
from understudy.events.policy import Policy

__all__ = [
    "DEFAULT",
    "Fault",
    "LoadedPolicy",
    "PolicyFileError",
    "load_policy",
    "policy_from",
    "policy_in",
    "policy_over",
]

DEFAULT: Final = "default"
"""The provenance of a setting that nobody has set."""

_ARCHIVE: Final = "archive"
_ALERTS: Final = "alerts"
"""Tables of the file that are not about the policy."""
_DEPTH_OF_PROVIDER_SETTING: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPolicy:
    """A policy, and where each of its settings comes from.

    Shape:  `provenance` has every setting of the policy, and of each provider those that are set, as
            `providers.<id>.<setting>`: the file's name, the variable's, or `default`. `blank` tells that there was a
            file, and that it sets nothing. `archive` is what its table `[archive]` says, and `alerts` how people are
            told (`[alerts]`): neither is policy.
    """

    policy: Policy
    provenance: Mapping[str, str]
    blank: bool = False
    alerts: AlertSettings = field(default_factory=AlertSettings)
    archive: ArchiveSettings | None = None

    @property
    def chores(self) -> tuple[Chore, ...]:
        """What an engine with these settings is to do beside serving: its `chores`."""
        return () if self.archive is None else (NightlyArchive(self.archive),)


def load_policy(path: Path | None = None, *, environment: Mapping[str, str] | None = None) -> LoadedPolicy:
    """The policy as a file (TOML or JSON) and the variables `UNDERSTUDY_…` of the environment make it.

    Errors: PolicyFileError with all that is wrong.
    """
    if path is not None:
        return policy_in(read_values(path), source=str(path), environment=environment)
    draft = Draft()
    take_environment(draft, environment or {})
    policy = _checked(draft, source="the environment")
    return LoadedPolicy(policy=policy, provenance=_provenance(draft, policy))


def policy_in(values: Mapping[str, Any], *, source: str, environment: Mapping[str, str] | None = None) -> LoadedPolicy:
    """The policy as the values of a file, named `source`, and the variables of the environment make it.

    Errors: PolicyFileError with all that is wrong.
    """
    draft, alerts, archive = Draft(), AlertSettings(), None
    own = {name: table for name, table in values.items() if snake_case(name) not in {_ARCHIVE, _ALERTS}}
    draft.take(own, source=source)
    take_environment(draft, environment or {})
    with together() as attempt:
        with attempt():
            policy = _checked(draft, source=source)
        for name, table in values.items():
            with attempt():
                if snake_case(name) == _ALERTS:
                    alerts = alert_settings(table, source=source)
                elif snake_case(name) == _ARCHIVE:
                    archive = archive_settings(table, source=source)
    provenance = _provenance(draft, policy)
    return LoadedPolicy(policy=policy, provenance=provenance, blank=not values, archive=archive, alerts=alerts)


def policy_over(own: Policy, *, environment: Mapping[str, str], source: str) -> LoadedPolicy:
    """A policy that somebody has brought along (`source`: a scenario), and the variables of the environment over it.

    Errors: PolicyFileError with all that is wrong.
    """
    draft = Draft()
    draft.take(own.model_dump(mode="json", exclude_unset=True), source=source)
    take_environment(draft, environment)
    policy = _checked(draft, source=source)
    return LoadedPolicy(policy=policy, provenance=_provenance(draft, policy))


def policy_from(values: Mapping[str, object], *, source: str) -> Policy:
    """The policy that a table of settings makes, in whichever way they are spelt; `source` is named in faults.

    Errors: PolicyFileError with all that is wrong.
    """
    draft = Draft()
    draft.take(values, source=source)
    return _checked(draft, source=source)


def _checked(draft: Draft, *, source: str) -> Policy:
    faults = [*draft.faults, *_not_numbers(draft), *_repeated_ids(draft)]
    try:
        policy = Policy.model_validate(draft.values)
    except ValidationError as error:
        found = error.errors(include_url=False)
        told = {fault_at(*_described(draft, one, source=source)) for one in found if not _is_told(one, faults)}
        faults += sorted(told, key=str)
    else:
        if not faults:
            return policy
    raise PolicyFileError(sorted(faults, key=lambda fault: fault.source != source)) from None


def _not_numbers(draft: Draft) -> Iterator[Fault]:
    """True and false where a number belongs: Python would take them for 1 and 0."""
    for place, origin in draft.origins.items():
        about, value = _about(place), _value_at(draft.values, place)
        if about is not None and about.numeric and isinstance(value, bool):
            yield fault_at(origin, f"is {shown(value)}; it must be {about.allowed}")


def _repeated_ids(draft: Draft) -> Iterator[Fault]:
    having: dict[str, list[str]] = {}
    for one, entry in zip(draft.values.get("providers", []), draft.entries, strict=True):
        if isinstance(one.get("id"), str):
            having.setdefault(one["id"], []).append(entry)
    for name, entries in having.items():
        if len(entries) > 1:
            places = f"{', '.join(entries[:-1])} and {entries[-1]}"
            what = f"has the id {name!r} {len(entries)} times: {places}; ids must be unique, so name all but one anew"
            yield fault_at(draft.origins["providers",], what)


def _is_told(one: Any, faults: list[Fault]) -> bool:
    """Whether an error of the policy as a whole only repeats what was found already."""
    return one["loc"] == () and any("ids must be unique" in fault.what for fault in faults)


def _described(draft: Draft, one: Any, *, source: str) -> tuple[Origin, str]:
    """An error of pydantic's as its author needs it: the place in the source, and what would be right."""
    place, value = one["loc"], one["input"]
    if not place:
        return Origin(source=source, label=""), str(one["ctx"]["error"])
    about = _about(place)
    origin = draft.origins.get(place[: _depth(place)]) or _parent(draft, place)
    if one["type"] == SCHEDULE:
        return origin, f"has the line {shown(value)}, which {one['msg']}"
    if about is None:
        return origin, f"is {shown(value)}: {one['msg']}"
    if one["type"] == "missing":
        return origin, f"has no {about.name}; it must be {about.allowed}"
    if one["type"] == "unknown_setting":
        return origin, f"has the {one['msg']}"
    either = " or none" if about.optional else ""
    hint = did_you_mean(value, about.choices) if isinstance(value, str) else ""
    return origin, f"is {shown(value)}; it must be {about.allowed}{either}{hint}"


def _about(place: Place) -> Setting | None:
    """What is known of the setting at a place, or of the one that holds the place."""
    if place[0] != "providers":
        return POLICY[str(place[0])]
    return PROVIDER.get(str(place[2])) if len(place) >= _DEPTH_OF_PROVIDER_SETTING else None


def _depth(place: Place) -> int:
    return _DEPTH_OF_PROVIDER_SETTING if place[0] == "providers" else 1


def _parent(draft: Draft, place: Place) -> Origin:
    return draft.origins.get(place[:2]) or draft.origins[place[:1]]


def _value_at(values: Any, place: Place) -> Any:
    for part in place:
        values = values[part]
    return values


def _provenance(draft: Draft, policy: Policy) -> dict[str, str]:
    found = {name: DEFAULT for name in POLICY if name != "providers"}
    for place, origin in draft.origins.items():
        match place:
            case (str(name),) if name in found:
                found[name] = origin.source
            case ("providers", int(index), str(name)):
                found[f"providers.{policy.providers[index].id}.{name}"] = origin.source
            case _:
                pass
    return found
