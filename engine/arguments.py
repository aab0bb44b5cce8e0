"""What callers may pass: names, contexts, amounts and bodies, checked before anything happens."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from pydantic import JsonValue
from pydantic_core import PydanticSerializationError, from_json, to_json

from understudy.engine.columns import CONTEXT_COLUMNS
from understudy.engine.errors import InvalidRequest
from understudy.events.errors import EventRefused

MOST_DIGITS: Final = 100
"""Digits that an amount may have."""
_NAME_LIMIT: Final = 200


def split(context: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """A context as the part that has columns of its own, and the rest."""
    if type(context) is not dict and not isinstance(context, Mapping):
        raise InvalidRequest(f'context must be a mapping such as {{"country": "us"}}, not {context!r}')
    for name, value in context.items():
        if not is_name(name):
            check_name("a name in context", name)
        if not isinstance(value, str):
            raise InvalidRequest(f"context[{name!r}] must be text, not {type(value).__name__}: use str(…)")
        if not is_name(value):
            check_name(f"context[{name!r}]", value)
    columns: dict[str, str] = {}
    labels: dict[str, str] = {}
    for name, value in context.items():
        (columns if name in CONTEXT_COLUMNS else labels)[name] = value
    return columns, labels


def exact(amount: Decimal | int | str | None, *, what: str = "amount") -> Decimal | None:
    """An amount of money, exactly; `what` names the argument.

    Errors: InvalidRequest.
    """
    if amount is None:
        return None
    if isinstance(amount, float):
        raise InvalidRequest(f'{what} {amount!r} is a float, which cannot hold money exactly; pass Decimal("{amount}")')
    if isinstance(amount, bool):
        raise InvalidRequest(f"{what} {amount!r} is not a decimal number")
    try:
        found = Decimal(amount)
    except (InvalidOperation, TypeError, ValueError):
        raise InvalidRequest(f"{what} {amount!r} is not a decimal number") from None
    if not found.is_finite():
        raise InvalidRequest(f"{what} {amount!r} is not a finite number")
    if len(found.as_tuple().digits) > MOST_DIGITS or abs(found.adjusted()) > MOST_DIGITS:
        raise InvalidRequest(f"{what} {str(amount)[:50]!r} has more than {MOST_DIGITS} digits")
    return found


def plain(body: Any) -> JsonValue:
    """A body as JSON.

    Errors: EventRefused if it is none.
    """
    if body is None:
        return None
    try:
        return from_json(to_json(body), allow_inf_nan=False)  # type: ignore[no-any-return]
    except (PydanticSerializationError, ValueError) as error:
        raise EventRefused(f"the body cannot be put on record as JSON: {error}") from error


def is_name(value: object) -> bool:
    """Whether something can be a name or a key."""
    return isinstance(value, str) and 0 < len(value) <= _NAME_LIMIT and value.isprintable()


def check_name(what: str, value: str) -> None:
    """Refuse what cannot be a name or a key; `what` says whose it is.

    Errors: InvalidRequest.
    """
    if not isinstance(value, str):
        raise InvalidRequest(f"{what} must be text, not {type(value).__name__}")
    if not is_name(value):
        raise InvalidRequest(f"{what} must be 1 to {_NAME_LIMIT} printable characters, not {value[:50]!r}")


def check_names(**given: str | None) -> None:
    """Refuse those of some arguments that cannot be names or keys.

    Errors: InvalidRequest.
    """
    for what, name in given.items():
        if name is not None:
            check_name(what, name)
