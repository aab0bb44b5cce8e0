"""What is allowed in a policy, and yet hardly meant."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from understudy.events.policy import Policy, ProviderSettings
from understudy.events.vocabulary import Strategy

_RANKING: Final = frozenset({Strategy.SCORE, Strategy.FASTEST, Strategy.LEAST_USED})
"""The strategies that explore."""


def warnings(policy: Policy) -> Iterator[str]:
    """Each a sentence that names the settings."""
    yield from _times(policy)
    yield from _without_effect(policy)
    for tier, providers in _tiers(policy).items():
        if policy.strategy is Strategy.WEIGHTED and not any(one.weight for one in providers):
            yield f"every provider of tier {tier} has weight 0: by weight, none of them would ever be first"


def _times(policy: Policy) -> Iterator[str]:
    if policy.request_timeout_ms > policy.deadline_ms:
        yield (
            f"request_timeout_ms {policy.request_timeout_ms:,} is longer than deadline_ms {policy.deadline_ms:,}:"
            " one slow call uses up the whole request, and nobody else is asked"
        )
    if policy.retry_delay_ms > policy.retry_delay_cap_ms:
        yield f"retry_delay_ms {policy.retry_delay_ms:,} is above its cap {policy.retry_delay_cap_ms:,}"
    if policy.recovery_time_ms > policy.recovery_time_cap_ms:
        yield f"recovery_time_ms {policy.recovery_time_ms:,} is above its cap {policy.recovery_time_cap_ms:,}"
    if policy.min_calls > policy.window:
        yield f"min_calls {policy.min_calls} is more than window {policy.window} holds: no rate can open a circuit"


def _without_effect(policy: Policy) -> Iterator[str]:
    if "exploration" in policy.model_fields_set and policy.exploration and policy.strategy not in _RANKING:
        yield f"exploration has no effect with strategy {policy.strategy}"
    if policy.explore_once and not policy.exploration:
        yield "explore_once has no effect while exploration is 0"
    weighted = [one.id for one in policy.providers if "weight" in one.model_fields_set]
    if weighted and policy.strategy is not Strategy.WEIGHTED:
        yield f"weight ({', '.join(weighted)}) has no effect with strategy {policy.strategy}"
    if not policy.fallback_enabled and policy.max_providers is not None and policy.max_providers > 1:
        yield f"max_providers {policy.max_providers} has no effect while fallback_enabled is false"


def _tiers(policy: Policy) -> Mapping[int, Sequence[ProviderSettings]]:
    found: dict[int, list[ProviderSettings]] = {}
    for one in policy.providers:
        found.setdefault(int(one.priority), []).append(one)
    return found
