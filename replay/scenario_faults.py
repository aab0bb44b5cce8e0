"""What is wrong with a scenario, in words: each fault by its place, and with what would be right."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from pydantic import BaseModel, ValidationError

_LONGEST_SHOWN: Final = 60
_ONE_OF: Final = {
    "providers": "provider",
    "phases": "phase",
    "bursts": "burst",
    "local_faults": "local fault",
    "amounts": "conversion amount",
}
"""What an entry of each list is called."""
_BOUNDS: Final = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "above"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "below"),
}
_KINDS: Final = {
    "int": "a whole number",
    "decimal": "a number",
    "string": "text",
    "bool": "true or false",
    "model": "a table",
    "dict": "a table",
    "tuple": "a list",
}
"""What should stand in a place, by the first word of pydantic's name for the error."""
_NAMES: Final = {
    "^[a-z0-9][a-z0-9-]*$": "a name of small letters, digits and -, which does not stand first",
    "^[A-Za-z0-9][A-Za-z0-9_.:-]*$": "a name of letters, digits and any of _ . : -, none of which stands first",
    "^[A-Z0-9]{1,10}/[A-Z0-9]{1,10}$": "what is sold and what is bought, such as ETH/BTC",
}
"""What a pattern asks for."""


def faults(error: ValidationError, values: Any, *, model: type[BaseModel]) -> list[str]:
    """Every fault that was found, one a line; `values` are those that were checked."""
    return [
        f"{_place(one['loc'], values)}{what}"
        for one in error.errors(include_url=False)
        for what in _told(one, model=model)
    ]


def _unknown(name: str, known: Sequence[str]) -> str:
    """What to say of a key that nobody knows: the nearest one that there is, or all of them."""
    near = get_close_matches(name.lower(), known, n=1)
    return f"is unknown; did you mean {near[0]!r}?" if near else f"is unknown; known here: {', '.join(known)}"


def _told(one: Any, *, model: type[BaseModel]) -> Iterator[str]:
    """What is wrong in a place; a check of our own may have found several things, a line each."""
    kind, value, context = one["type"], one["input"], one.get("ctx", {})
    told = f" is {_shown(value)}; it must be"
    if kind == "value_error":
        yield from (f": {line}" for line in str(context["error"]).splitlines())
    elif kind in {"extra_forbidden", "unknown_setting"}:
        yield f" {_unknown(str(one['loc'][-1]), _known(one['loc'], model))}"
    elif kind == "missing":
        yield " is missing"
    elif kind in _BOUNDS:
        bound, words = _BOUNDS[kind]
        yield f"{told} {words} {context[bound]}"
    elif kind in {"enum", "literal_error"}:
        yield f"{told} {context['expected']}"
    elif kind.startswith(("string_too", "string_pattern")):
        yield f"{told} {_name_rule(context)}"
    elif kind == "too_short":
        if len(value) < context["min_length"]:  # Else its entries are wrong, which is told of each.
            yield f"{told} a list of at least {context['min_length']}"
    elif kind.partition("_")[0] in _KINDS:
        yield f"{told} {_KINDS[kind.partition('_')[0]]}"
    else:
        yield f" is {_shown(value)}: {one['msg']}"


def _name_rule(context: Mapping[str, Any]) -> str:
    if "pattern" in context:
        return _NAMES.get(context["pattern"], f"a text that fits {context['pattern']}")
    if "min_length" in context:
        return f"at least {context['min_length']} characters long"
    return f"at most {context['max_length']} characters long"


def _place(path: Sequence[int | str], values: Any) -> str:
    """A place as people name it: `provider 'beta', phase 2, latency_ms`."""
    parts: list[str] = []
    for part in path:
        if part == "[key]":  # The fault is the name itself, which stands there already.
            continue
        if isinstance(part, int) and parts:
            name = parts[-1].rpartition(".")[2]
            parts[-1] = f"{_ONE_OF.get(name, name)} {_number_or_id(values, part)}"
        elif parts and " " not in parts[-1]:
            parts[-1] += f".{part}"
        else:
            parts.append(str(part))
        values = _below(values, part)
    return ", ".join(parts) or "the whole"


def _number_or_id(entries: Any, index: int) -> str:
    one = _below(entries, index)
    name = one.get("id") if isinstance(one, dict) else None
    return repr(name) if isinstance(name, str) else str(index + 1)


def _below(values: Any, part: int | str) -> Any:
    try:
        return values[part]
    except (LookupError, TypeError):
        return None


def _known(path: Sequence[int | str], model: type[BaseModel]) -> list[str]:
    """The fields of the model that holds the last part of a path."""
    for part in path[:-1]:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation) or model
    return sorted(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, be it one or a tuple of many."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = [_model_in(one) for one in getattr(annotation, "__args__", ())]
    return next((one for one in inner if one is not None), None)


def _shown(value: object) -> str:
    match value:
        case bool():
            text = str(value).lower()
        case dict() | BaseModel():
            text = "a table"
        case int() | float():
            text = str(value)
        case _:
            text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
