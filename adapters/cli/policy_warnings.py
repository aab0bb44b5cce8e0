"""What is allowed in a policy: warnings of what is hardly meant, and advice from experience."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from understudy.events.policy import Policy, ProviderSettings
from understudy.events.vocabulary import ServicePriority, Strategy

_RANKING: Final = frozenset({Strategy.SCORE, Strategy.FASTEST, Strategy.LEAST_USED})
"""The strategies that explore."""

_PRIMARIES: Final = 3
_TYPICAL_OUTAGE_MS: Final = 300_000
"""Outages last from minutes to hours: rests far below five minutes find out again and again what is known."""
_FAR_BELOW: Final = 10
_NOTICED_WITHIN_MS: Final = 30_000


def warnings(policy: Policy) -> Iterator[str]:
    """Each a sentence that names the settings."""
    yield from _times(policy)
    yield from _without_effect(policy)
    for tier, providers in _tiers(policy).items():
        if policy.strategy is Strategy.WEIGHTED and not any(one.weight for one in providers):
            yield f"every provider of tier {tier} has weight 0: by weight, none of them would ever be first"


def advice(policy: Policy) -> Iterator[str]:
    """Each a sentence that names the setting, what it leads to, and what is better."""
    yield from _depth(policy)
    yield from _rests(policy)
    noticed_ms = policy.ping_interval_ms + (policy.max_failures - 1) * policy.ping_retry_ms
    if noticed_ms > _NOTICED_WITHIN_MS:
        yield (
            f"ping_interval_ms {policy.ping_interval_ms:,}, ping_retry_ms {policy.ping_retry_ms:,} and max_failures"
            f" {policy.max_failures} notice the outage of an idle provider after up to {noticed_ms:,} ms;"
            f" {_NOTICED_WITHIN_MS:,} or less is better"
        )
    if policy.request_timeout_ms <= policy.deadline_ms < 2 * policy.request_timeout_ms:
        yield (
            f"deadline_ms {policy.deadline_ms:,} leaves a second provider no full request_timeout_ms"
            f" {policy.request_timeout_ms:,} after the first has timed out"
        )
    if policy.strategy in _RANKING and not policy.exploration:
        yield "exploration is 0: no log will be able to say what another choice would have brought"


def _depth(policy: Policy) -> Iterator[str]:
    """Who is left to be asked when somebody is out; nothing is known of that where the policy names no provider."""
    if not policy.fallback_enabled:
        yield "fallback_enabled is false: only the first choice is ever asked, be it out"
    tiers = _tiers(policy)
    if not tiers:
        return
    primaries = len(tiers.get(ServicePriority.PRIMARY, ()))
    if primaries < _PRIMARIES:
        yield (
            f"{primaries} {'provider has' if primaries == 1 else 'providers have'} priority 1 (primary): at least"
            f" {_PRIMARIES} leave a choice when one of them is out"
        )
    if ServicePriority.EMERGENCY not in tiers:
        rests = " but for one now and then (last_resort_ms)"
        if policy.last_resort_ms is None:
            rests = " until a circuit has rested (last_resort_ms tries one meanwhile)"
        yield f"no provider has priority 4 (emergency): when all others are out, requests fail{rests}"


def _rests(policy: Policy) -> Iterator[str]:
    rests = {"recovery_time_ms": (policy.recovery_time_ms, policy.recovery_time_cap_ms)}
    for one in policy.providers:
        if one.recovery_time_ms is not None:
            rests[f"recovery_time_ms of {one.id}"] = (one.recovery_time_ms, policy.recovery_time_cap_ms)
    for name, (rest_ms, cap_ms) in rests.items():
        if rest_ms * _FAR_BELOW < _TYPICAL_OUTAGE_MS:
            yield (
                f"{name} {rest_ms:,} is far below a typical outage: in one of five minutes,"
                f" {_probes(rest_ms, cap_ms=cap_ms)} probes find out that it goes on; {_TYPICAL_OUTAGE_MS:,} is usual"
            )


def _probes(rest_ms: int, *, cap_ms: int) -> int:
    """How many probes go out in a typical outage: rests double up to their cap, as `projections.lane_step` has it."""
    count = elapsed_ms = 0
    while (elapsed_ms := elapsed_ms + rest_ms) < _TYPICAL_OUTAGE_MS:
        count += 1
        rest_ms = min(2 * rest_ms, max(cap_ms, rest_ms))
    return count


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
