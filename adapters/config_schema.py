"""What each setting may be, in words: read off the policy's own schema, for refusals and for the documentation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Final

from understudy.events.policy import Policy, ProviderSettings
from understudy.events.vocabulary import ServicePriority

READ_OFF_THE_PROVIDER: Final = frozenset({"has_ping", "has_lookup", "has_quote", "has_sync", "two_part"})
"""Settings that only the engine sets, from what a provider object is able to do."""

_TABLES: Final = {
    "fees": "a table of percent, spread (in percent), flat (in the coin sold) and withdrawal (by the coin bought)",
    "max_emergency_amount": "a number above 0, or a table of such by the coin sold",
}
"""Settings that are tables, or may be."""
_WORDS: Final = tuple(one.name.lower() for one in ServicePriority)

Spec = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting: its name, what it may be, what it is if nobody says, and what it means.

    Shape:  `optional` settings may be none; `numeric` ones are numbers, for which no true or false will do; `listed`
            ones are lists; `choices` are all the values there are, empty if they cannot be listed.
    """

    name: str
    allowed: str
    default: str
    meaning: str
    optional: bool
    numeric: bool
    listed: bool
    choices: tuple[str, ...]


@cache
def settings(model: type[Policy] | type[ProviderSettings]) -> Mapping[str, Setting]:
    """The settings of a model by name, in the order in which it declares them."""
    schema = model.model_json_schema()
    required, shared = schema.get("required", ()), schema.get("$defs", {})
    return {
        name: _setting(name, spec, shared, required=name in required)
        for name, spec in schema["properties"].items()
        if name not in READ_OFF_THE_PROVIDER
    }


def _setting(name: str, spec: Spec, shared: Mapping[str, Spec], *, required: bool) -> Setting:
    kinds = [_resolved(kind, shared) for kind in spec.get("anyOf", [spec])]
    optional = any(kind.get("type") == "null" for kind in kinds)
    # Decimals may be written as text too, which is listed last and says less.
    kind = next(kind for kind in kinds if kind.get("type") != "null")
    return Setting(
        name=name,
        allowed=_allowed(name, kind, shared),
        default="required" if required else _shown(spec.get("default")),
        meaning=str(spec.get("description") or kind.get("description") or ""),
        optional=optional,
        numeric=kind.get("type") in {"integer", "number"},
        listed=kind.get("type") == "array",
        choices=_WORDS if name == "priority" else _choices(kind),
    )


def _resolved(spec: Spec, shared: Mapping[str, Spec]) -> Spec:
    reference = str(spec.get("$ref", ""))
    return shared[reference.rpartition("/")[2]] if reference else spec


def _allowed(name: str, kind: Spec, shared: Mapping[str, Spec]) -> str:
    if name == "priority":
        return f"one of {', '.join(f'{int(one)} ({one.name.lower()})' for one in ServicePriority)}, or that word"
    if choices := _choices(kind):
        return f"one of {', '.join(choices)}"
    if name in _TABLES:
        return _TABLES[name]
    if name.endswith("_url"):
        return "an https:// or http:// address without a password in it"
    match kind.get("type"):
        case "integer":
            unit = " of milliseconds" if name.endswith("_ms") else ""
            return f"a whole number{unit}{_bounds(kind)}"
        case "number":
            return f"a number{_bounds(kind)}"
        case "boolean":
            return "true or false"
        case "array" if "$ref" in kind["items"]:
            return "a list of providers, or a table of them by id"
        case "array" if name == "drill_schedule":
            return "a list of lines like 'monthly on 1 at 03:00: outage alpha for 60s'"
        case "array" if name == "alert_stock_of":
            return "a list, each country:service, like us:wa"
        case "array":
            return f"a list, each {_allowed(name, _resolved(kind['items'], shared), shared)}"
        case _:
            return f"a name of at most {kind['maxLength']} letters, digits and any of _ . : -"


def _choices(kind: Spec) -> tuple[str, ...]:
    pattern = str(kind.get("pattern", ""))
    if pattern.startswith("^(") and pattern.endswith(")$"):
        return tuple(pattern[2:-2].split("|"))
    return tuple(str(value) for value in kind.get("enum", ()))


def _bounds(kind: Spec) -> str:
    low, above, high = (kind.get(name) for name in ("minimum", "exclusiveMinimum", "maximum"))
    if above is not None:
        return f" above {_number(above)}" + ("" if high is None else f" and up to {_number(high)}")
    if low is not None and high is not None:
        return f" from {_number(low)} to {_number(high)}"
    return "" if low is None else f" of at least {_number(low)}"


def _number(value: float) -> str:
    return f"{Decimal(str(value)).normalize():,f}"


def _shown(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case list() | tuple():
            return _listed(value)
        case _:
            return str(value)


def _listed(values: Sequence[object]) -> str:
    return ", ".join(str(value) for value in values) or "none"
