"""The demonstration's scenario: read from the file beside this one, and squeezed or stretched in time."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from importlib.resources import files
from typing import Final

from understudy.events.policy import Policy
from understudy.replay.scenario import Phase, Script
from understudy.replay.simulate import Scenario, parse_scenario

_FILE: Final = "demo.toml"
_FINE: Final = Decimal("0.000001")
_RESTS: Final = ("recovery_time_ms", "recovery_time_cap_ms", "ping_interval_ms", "ping_retry_ms", "throttle_ms")
"""What shrinks with the scenario: how long things are left alone. Limits of calls do not; networks are as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What befalls one provider. Units: `from_s` and `until_s` are seconds since the servers started."""

    provider: str
    what: str
    from_s: float
    until_s: float


def demo_scenario(*, seconds: float | None = None, requests: int | None = None, seed: int | None = None) -> Scenario:
    """The scenario, all of it within so many seconds (36 if None), with so many requests (100 a second if None)."""
    text = (files("understudy.adapters.demo") / _FILE).read_text(encoding="utf-8")
    scenario = parse_scenario(text, source=_FILE)
    length_s = scenario.duration_s if seconds is None else Decimal(str(seconds))
    factor = length_s / scenario.duration_s
    rate = scenario.arrivals.per_second
    if requests is not None:  # Rounded up: not one fewer than wanted.
        rate = (requests / length_s).quantize(_FINE, rounding=ROUND_CEILING)
    return scenario.model_copy(
        update={
            "duration_s": length_s,
            "seed": scenario.seed if seed is None else seed,
            "arrivals": scenario.arrivals.model_copy(update={"per_second": rate}),
            "policy": _policy(scenario.policy, factor),
            "providers": tuple(_script(one, factor) for one in scenario.providers),
        }
    )


def troubles(scenario: Scenario) -> list[Trouble]:
    """All that befalls providers, in order: every phase that has an end."""
    found = [
        Trouble(
            provider=one.id,
            what=_word(phase),
            from_s=float(phase.from_s + (phase.up_s or 0)),  # A flap begins with a good time.
            until_s=float(phase.until_s),
        )
        for one in scenario.providers
        for phase in one.phases
        if phase.until_s is not None
    ]
    return sorted(found, key=lambda one: one.from_s)


def _policy(policy: Policy, factor: Decimal) -> Policy:
    return policy.model_copy(update={name: max(1, round(getattr(policy, name) * factor)) for name in _RESTS})


def _script(script: Script, factor: Decimal) -> Script:
    return script.model_copy(update={"phases": tuple(_phase(one, factor) for one in script.phases)})


def _phase(phase: Phase, factor: Decimal) -> Phase:
    return phase.model_copy(update=dict(_squeezed(phase, factor)))


def _squeezed(phase: Phase, factor: Decimal) -> Iterator[tuple[str, Decimal | int]]:
    for name in ("from_s", "until_s", "up_s", "down_s"):
        value: Decimal | None = getattr(phase, name)
        if value is not None:
            yield name, value * factor
    if phase.retry_after_ms is not None:
        yield "retry_after_ms", round(phase.retry_after_ms * factor)


def _word(phase: Phase) -> str:
    if phase.state != "up":
        return "outage" if phase.state == "refuses" else "hangs"
    if phase.up_s is not None:
        return "flapping"
    return "throttling" if phase.max_calls_per_second is not None else "brown-out"
