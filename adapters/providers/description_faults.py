"""What is wrong with a description, said so that it can be put right: where, what, and what would do instead."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from understudy.adapters.config_faults import Fault, shown
from understudy.adapters.providers.credentials import Credentials, NotSet
from understudy.adapters.providers.http_description import ApiDescription, Misplaced
from understudy.events.errors import UnderstudyError
from understudy.events.names import did_you_mean

_CHOICE: Final = re.compile(r"'([^']*)'")
_MAY_HOLD_KEYS: Final = frozenset({"base_url", "basic_auth", "body", "form", "headers", "path", "query"})
_SHORTEST: Final = 4
"""Shorter secrets cannot be told from other words, and so not be kept out of messages."""


class DescriptionError(UnderstudyError):
    """A description cannot be used; `faults` has everything that is wrong, and the message says it, a line each."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


def described_by(values: Mapping[str, Any], *, source: str = "description", table: str = "") -> ApiDescription:
    """The description that a mapping is; `source` is its file, and `table` where it stands there.

    Errors: DescriptionError with all that is wrong.
    """
    try:
        return ApiDescription.model_validate(values)
    except ValidationError as error:
        found = [_fault(one, source=source, table=table) for one in error.errors(include_url=False)]
    raise DescriptionError(sorted(set(found), key=str))


def secrets_of(description: ApiDescription, credentials: Credentials, *, source: str = "credentials") -> dict[str, str]:
    """The secrets that a description needs, by name.

    Errors: DescriptionError for those that are not there, or that no secret can be. Their values are not repeated.
    """
    found: dict[str, str] = {}
    faults = []
    for name in sorted(description.secrets):
        try:
            found[name] = credentials.secret(name)
        except NotSet as error:
            faults.append(_secret_fault(name, description, str(error), source=source))
            continue
        except LookupError:
            faults.append(_secret_fault(name, description, "is not among the credentials", source=source))
            continue
        faults += [_secret_fault(name, description, what, source=source) for what in _flaws(found[name])]
    if faults:
        raise DescriptionError(faults)
    return found


def _flaws(secret: object) -> Iterator[str]:
    if not isinstance(secret, str):
        yield f"must be text, not {type(secret).__name__}"
    elif not secret.isprintable() or secret != secret.strip():
        yield "must be text on one line, without blanks around it; is there a line break at its end?"
    elif len(secret) < _SHORTEST:
        yield f"is shorter than {_SHORTEST} characters, and could not be kept out of messages"


def _secret_fault(name: str, description: ApiDescription, what: str, *, source: str) -> Fault:
    return Fault(source=source, where=f"secret {name} of provider {description.id}", what=what)


def _fault(one: Any, *, source: str, table: str) -> Fault:
    """An error of pydantic's as the author of the description needs it."""
    place, what = _told(one)
    return Fault(source=source, where=".".join([table] * bool(table) + _spelt(place)), what=what)


def _told(one: Any) -> tuple[tuple[str | int, ...], str]:
    place, value, context = one["loc"], one["input"], one.get("ctx", {})
    match one["type"]:
        case "missing":
            return place[:-1], f"has no {place[-1]}"
        case "unknown_setting":
            return place[:-1], f"has the {one['msg']}"
        case "value_error" if isinstance(wrong := context["error"], Misplaced):
            return (*place, *wrong.place), str(wrong)
        case "value_error":
            return place, str(context["error"])
        case "enum" | "literal_error":
            choices = _CHOICE.findall(context["expected"])
            hint = did_you_mean(value, choices) if isinstance(value, str) else ""
            return place, f"is {shown(value)}; it must be one of {', '.join(choices)}{hint}"
        case _ if _MAY_HOLD_KEYS.isdisjoint(place):
            return place, f"is {shown(value)}: {one['msg']}"
        case _:
            return place, f"cannot be used: {one['msg']}"


def _spelt(place: tuple[str | int, ...]) -> list[str]:
    """A place as a person counts: the first one of a list is number 1."""
    return [f"number {part + 1}" if isinstance(part, int) else part for part in place]
