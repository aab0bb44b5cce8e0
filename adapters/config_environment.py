"""The policy's settings in environment variables: `UNDERSTUDY_MAX_FAILURES`, `UNDERSTUDY_PROVIDERS__ALPHA__WEIGHT`.

Two underscores go one level down; a provider is named by its id in capitals, with an underscore for whatever is neither
a letter nor a digit. `UNDERSTUDY_PROVIDERS` itself takes all providers as JSON. An empty variable counts as not set.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from understudy.adapters.config_draft import POLICY, PROVIDER, Draft, Place, unknown
from understudy.adapters.config_faults import Origin
from understudy.adapters.config_files import json_values
from understudy.adapters.config_schema import Setting
from understudy.events.names import did_you_mean, nearest, setting, variable_part

PREFIX: Final = "UNDERSTUDY_"
_NONE: Final = frozenset({"none", "null"})
_LEVELS: Final = 3
"""In `PROVIDERS__ALPHA__WEIGHT`."""


def take_environment(draft: Draft, environment: Mapping[str, str]) -> None:
    """Take in every variable that is ours; unknown ones are refused as unknown keys are."""
    for variable in sorted(environment):  # `…_PROVIDERS` comes before what changes one of them.
        text = environment[variable].strip()
        if variable.upper().startswith(PREFIX) and text:
            _take(draft, Origin(source=variable, label=variable), variable[len(PREFIX) :], text)


def _take(draft: Draft, origin: Origin, path: str, text: str) -> None:
    first, *rest = path.split("__")
    name = setting(first, known=POLICY)
    if name == "providers":
        if rest:
            _take_provider_setting(draft, origin, rest, text)
        else:
            _take_providers(draft, origin, text)
    elif name is None:
        draft.refuse(origin, _unknown(path, POLICY))
    elif rest:
        draft.refuse(origin, f"goes too deep: {name} has nothing below it")
    else:
        _put(draft, (name,), POLICY[name], text, origin)


def _take_providers(draft: Draft, origin: Origin, text: str) -> None:
    try:
        draft.take_providers(json_values(text), origin=origin)
    except ValueError as error:
        draft.refuse(origin, f"is not valid JSON: {error}")


def _take_provider_setting(draft: Draft, origin: Origin, path: list[str], text: str) -> None:
    if len(path) != _LEVELS - 1:
        draft.refuse(origin, "must name a provider and one of its settings: UNDERSTUDY_PROVIDERS__ALPHA__WEIGHT")
        return
    place = _provider(draft, origin, path[0])
    name = setting(path[1], known=PROVIDER)
    if name is None:
        draft.refuse(origin, _unknown(path[1], PROVIDER, before=f"PROVIDERS__{path[0]}__"))
    elif place is not None:
        _put(draft, ("providers", place, name), PROVIDER[name], text, origin)


def _unknown(name: str, known: Collection[str], *, before: str = "") -> str:
    """As of a key in a file; what may have been meant is named as a variable."""
    meant = nearest(name, known) or ""
    return unknown(name, known).replace(repr(meant), f"{PREFIX}{before}{variable_part(meant)}")


def _provider(draft: Draft, origin: Origin, part: str) -> int | None:
    """The place of the provider that is meant; refused, if there is none or more than one."""
    ids = [str(one.get("id")) for one in draft.values.get("providers", ())]
    fitting = [place for place, one in enumerate(ids) if variable_part(one) == part.upper()]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        draft.refuse(origin, f"may mean {' or '.join(ids[place] for place in fitting)}; set it in the file instead")
    elif ids:
        draft.refuse(origin, f"names no provider that is configured{did_you_mean(part, ids)}")
    else:
        draft.refuse(origin, "is about a provider, and none is configured; configure it in a file first")
    return None


def _put(draft: Draft, place: Place, about: Setting, text: str, origin: Origin) -> None:
    draft.put(place, _value(about, text), origin)


def _value(about: Setting, text: str) -> Any:
    if about.optional and text.lower() in _NONE:
        return None
    return [part.strip() for part in text.split(",")] if about.listed else text
