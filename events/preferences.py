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
    return f"{name}: {first['msg']}, not {changes[name]!r}" if name in changes else str(first["msg"])


def _advice(name: str) -> str:
    meant = nearest(name, PREFERENCES)
    return f"; did you mean {meant}?" if meant else f"; they are {', '.join(PREFERENCES)}"


def _plain(rate: Decimal) -> Decimal:
    return Decimal(f"{rate.normalize():f}")
