"""A policy while it is put together: values under our own names, where each comes from, and what is wrong so far."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from understudy.adapters.config_faults import Fault, Origin, fault_at, shown
from understudy.adapters.config_schema import READ_OFF_THE_PROVIDER, settings
from understudy.events.names import did_you_mean_setting, setting, snake_case
from understudy.events.policy import Policy, ProviderSettings
from understudy.events.vocabulary import ServicePriority, Strategy

POLICY: Final = settings(Policy)
PROVIDER: Final = settings(ProviderSettings)

Place = tuple[str | int, ...]
"""The way to a value: `("window",)`, or `("providers", 0, "weight")`."""


@dataclass(slots=True)
class Draft:
    """What sources have said so far; a later source takes the place of an earlier one, value by value."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[Place, Origin] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    entries: list[str] = field(default_factory=list)
    """Which entry of its source each provider is, in words, in the order of `values["providers"]`."""

    def put(self, place: Place, value: object, origin: Origin) -> None:
        """Set one value of the policy, or of a provider that is there."""
        holder = self.values if len(place) == 1 else self.values["providers"][place[1]]
        name = str(place[-1])
        holder[name] = _in_our_words(name, value)
        self.origins[place] = origin

    def refuse(self, origin: Origin, what: str) -> None:
        """Note that a value cannot be used."""
        self.faults.append(fault_at(origin, what))

    def take(self, values: Mapping[str, object], *, source: str) -> None:
        """Take in what a file says."""
        for name, key, value in self._named(values, known=POLICY, source=source, prefix=""):
            if name == "providers":
                self.take_providers(value, origin=Origin(source=source, label=key))
            else:
                self.put((name,), value, Origin(source=source, label=key))

    def take_providers(self, value: object, *, origin: Origin) -> None:
        """Take in all the providers: a list of them, or a table by id."""
        self.values["providers"] = []
        self.entries.clear()
        self.origins["providers",] = origin
        match value:
            case list():
                entries = [(f"provider number {count}", one) for count, one in enumerate(value, start=1)]
            case dict():
                entries = [(f"provider {key!r}", _with_id(key, one)) for key, one in value.items()]
            case _:
                self.refuse(origin, f"is {shown(value)}; it must be {POLICY['providers'].allowed}")
                return
        for label, one in entries:
            self._take_provider(label, one, source=origin.source)

    def _take_provider(self, label: str, one: object, *, source: str) -> None:
        if not isinstance(one, dict):
            self.refuse(Origin(source=source, label=label), f"is {shown(one)}; it must be a table of settings")
            return
        place = len(self.values["providers"])
        self.values["providers"].append({})
        self.entries.append(label)
        ids = [value for key, value in one.items() if setting(key, known=PROVIDER) == "id"]
        label = f"provider {ids[0]!r}" if ids and isinstance(ids[0], str) else label
        self.origins["providers", place] = Origin(source=source, label=label)
        for name, key, value in self._named(one, known=PROVIDER, source=source, prefix=f"{label}: "):
            self.put(("providers", place, name), value, Origin(source=source, label=f"{label}: {key}"))

    def _named(
        self, values: Mapping[str, object], *, known: Collection[str], source: str, prefix: str
    ) -> list[tuple[str, str, object]]:
        """Each value with our name for it and its author's; what has no name of ours is refused."""
        found: dict[str, tuple[str, str, object]] = {}
        for key, value in values.items():
            origin = Origin(source=source, label=f"{prefix}{key}")
            name = setting(key, known=known)
            if name is None:
                self.refuse(origin, unknown(key, known))
            elif name in found:
                self.refuse(origin, f"means the same as {found[name][1]}; keep one of the two")
            else:
                found[name] = (name, key, value)
        return list(found.values())


def unknown(key: str, known: Collection[str]) -> str:
    """What to say of a key that means nothing here."""
    name = snake_case(key)
    if name in READ_OFF_THE_PROVIDER:
        return "cannot be set: the engine sees by itself what a provider is able to do; leave it out"
    if known is PROVIDER and name in POLICY:
        return "is a setting of the whole policy, not of one provider; move it to the top"
    if known is POLICY and name in PROVIDER:
        return "is a setting of a provider; move it to the provider that it is about"
    return f"is unknown{did_you_mean_setting(key, known)}"


def _with_id(key: str, one: object) -> object:
    """A provider from a table by id; one that names an id itself keeps that, and the two must agree."""
    if not isinstance(one, dict) or any(setting(name, known=PROVIDER) == "id" for name in one):
        return one
    return {"id": key, **one}


def _in_our_words(name: str, value: object) -> object:
    """Words that people spell in several ways, as the policy spells them; everything else as it is."""
    if not isinstance(value, str):
        return value
    if name == "strategy" and snake_case(value) in list(Strategy):
        return snake_case(value)
    if name == "priority":
        tier = snake_case(value.removeprefix("ServicePriority."))
        return {one.name.lower(): int(one) for one in ServicePriority}.get(tier, value)
    return value
