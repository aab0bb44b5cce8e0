"""The settings that operators change while an engine runs, at a SQL prompt or by `understudy preferences`.

They are part of the policy, under the same names. What an operator has set stands above what is configured, at later
starts, too, until an operator sets it again.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from pydantic import ValidationError

from understudy.events.names import nearest
from understudy.events.policy import Policy

PREFERENCES: Final = (
    "preferred_provider",
    "fallback_enabled",
    "retry_attempts",
    "retry_delay_ms",
    "min_success_rate",
    "max_response_time_ms",
    "free_price_enabled",
)
"""Their names, in the order in which people see them."""

_LENGTH: Final = "must be a whole number of milliseconds from 0 to 10,000,000,000"
MUST: Final[Mapping[str, str]] = {
    "preferred_provider": "must be none or the name of a provider",
    "fallback_enabled": "must be true or false",
    "retry_attempts": "must be a whole number from 0 to 20",
    "retry_delay_ms": _LENGTH,
    "min_success_rate": "must be a percentage from 0 to 100",
    "max_response_time_ms": _LENGTH,
    "free_price_enabled": "must be true or false",
}
"""What a value must be, in the words in which everybody is told that it is not."""


def preferences_of(policy: Policy) -> dict[str, Any]:
    """What a policy has under their names."""
    return {name: getattr(policy, name) for name in PREFERENCES}


def with_preferences(policy: Policy, changes: Mapping[str, Any]) -> Policy:
    """The policy with some of them changed; values may be as JSON has them.

    Errors: ValueError for a name that is none of them; pydantic's ValidationError for a value that cannot be.
    """
    for name in changes:
        if name not in PREFERENCES:
            raise ValueError(f"{name!r} is no preference{_advice(name)}")
    settings = {name: getattr(policy, name) for name in Policy.model_fields}
    changed = Policy.model_validate({**settings, **changes})
    # As many zeros as it was typed with are another text, and would be another policy.
    return changed.model_copy(update={"min_success_rate": _plain(changed.min_success_rate)})


def first_fault(error: ValidationError, changes: Mapping[str, Any]) -> str:
    """What is wrong with the first value that cannot be, in a sentence."""
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    if name in changes:
        return f"{name} {MUST[name]}, not {changes[name]!r}"
    return str(first.get("ctx", {}).get("error", first["msg"]))  # Of the policy as a whole, in its own words.


def _advice(name: str) -> str:
    meant = nearest(name, PREFERENCES)
    return f"; did you mean {meant}?" if meant else f"; they are {', '.join(PREFERENCES)}"


def _plain(rate: Decimal) -> Decimal:
    return Decimal(f"{rate.normalize():f}")
