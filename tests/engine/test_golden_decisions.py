"""Decisions on record are recomputed under the rules of their time: so a rule may not change unnoticed.

`golden_decisions.json` holds, for a fixed set of standings, requests and draws, the SHA-256 over the encoded decisions.
If a digest differs, a rule has changed: raise `RULES_VERSION` in `engine/decide.py`, say so in the changelog, and write
the file anew with `PYTHONPATH=tests python tests/engine/test_golden_decisions.py`.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from given import Story, fails, given, policy_for, succeeds

from understudy.engine.decide import RULES_VERSION
from understudy.events.codec import encode
from understudy.events.policy import ProviderSettings
from understudy.events.vocabulary import Effect, FailureKind, ForcedState, Strategy

pytestmark = pytest.mark.xdist_group("golden decisions")  # The digests are made once.

GOLDEN = Path(__file__).with_name("golden_decisions.json")
DRAWS = [(number * 1_327_217_885 + 12_345) % 2**31 for number in range(40)]
REQUESTS: tuple[dict[str, Any], ...] = (
    {},
    {"effect": Effect.ONCE},
    {"preferred": "delta"},
    {"tried": ("alpha",)},
    {"country": "us", "service": "wa"},
    {"waited_ms": 700, "left_ms": 400},
)


def standing(strategy: Strategy) -> Story:
    """Six providers in two tiers: fast, degraded, half-open, scarce, throttled, and one below them."""
    names = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot")
    providers = [
        ProviderSettings.model_validate(
            {
                "id": name,
                "weight": 1 + place % 3,
                "price": place % 2,
                "priority": 1 + place // 5,
                "max_in_flight": 99 if place % 2 else None,
            }
        )
        for place, name in enumerate(names)
    ]
    story = given(policy_for(*providers, strategy=strategy, exploration="0.2", max_failures=2, recovery_time_ms=1_000))
    for place, name in enumerate(names[:4]):
        story.serves(name, *[succeeds(after_ms=200 + 97 * place)] * (3 + place))
    story.serves("charlie", *[fails(FailureKind.TIMED_OUT)] * 2).later(ms=1_000)
    story.serves("bravo", *[fails(FailureKind.TRANSIENT, after_ms=77), succeeds(after_ms=250)] * 2)
    story.ends(story.starts("delta", "stock", country="us", service="wa"), succeeds(stock=7))
    return story.serves("echo", fails(FailureKind.RATE_LIMITED, retry_after_ms=9_000))


def everybody_out(strategy: Strategy) -> Story:
    """Three providers whose circuits are open, one of them asked a moment ago."""
    settings = {"strategy": strategy, "exploration": "0.2", "max_failures": 2, "last_resort_ms": 500}
    story = given(policy_for("alpha", "bravo", "charlie", **settings))
    for place, name in enumerate(("alpha", "bravo", "charlie")):
        story.serves(name, *[fails(FailureKind.TRANSIENT, after_ms=150 + place)] * 2)
    return story.later(ms=300)


def stages(strategy: Strategy) -> Iterator[tuple[str, Story]]:
    """The standing as it is; a probe under way, one forced out; a day later; after a throttle; and with nobody left."""
    story = standing(strategy)
    yield "now", story
    story.starts("charlie")
    yield "forced", story.forces("alpha", ForcedState.DRAIN, for_ms=60_000)
    yield "later", story.later(ms=86_400_000)
    story = standing(strategy).later(ms=9_000)
    story.starts("echo")
    yield "slowly", story
    yield "out", everybody_out(strategy)


def digests() -> dict[str, str]:
    found = {}
    for strategy in Strategy:
        for stage, story in stages(strategy):
            digest = hashlib.sha256()
            for draw in DRAWS:
                for request in REQUESTS:
                    decision = story.decides(draw=draw, **request)
                    digest.update(encode(decision, seq=1, at_us=story.now_us).payload.encode())
            found[f"{strategy} {stage}"] = digest.hexdigest()
    return found


@pytest.fixture(scope="module")
def fresh() -> dict[str, str]:
    return digests()


def test_a_changed_rule_has_a_new_version(fresh: dict[str, str]) -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    changed = sorted(name for name, digest in fresh.items() if golden["digests"].get(name) != digest)
    if golden["rules_version"] == RULES_VERSION:
        assert not changed, (
            f"decisions differ from those on record ({', '.join(changed)}), but RULES_VERSION is still {RULES_VERSION}:"
            " raise it in engine/decide.py, then run PYTHONPATH=tests python tests/engine/test_golden_decisions.py"
        )
    assert golden == {"rules_version": RULES_VERSION, "digests": fresh}, (
        f"RULES_VERSION is {RULES_VERSION}, the digests are of version {golden['rules_version']}:"
        " run PYTHONPATH=tests python tests/engine/test_golden_decisions.py"
    )


def test_the_fixed_set_tells_strategies_and_stages_apart(fresh: dict[str, str]) -> None:
    assert len(set(fresh.values())) == len(fresh) == 5 * len(Strategy)


def test_the_fixed_set_has_what_rules_are_about() -> None:
    verdicts = {
        one.verdict
        for _, story in stages(Strategy.SCORE)
        for request in REQUESTS
        for one in story.decides(**request).candidates
    }
    assert verdicts >= {
        "eligible",
        "probe",
        "drained",
        "throttled",
        "slow_start",
        "already_tried",
        "too_late",
        "last_resort",
        "circuit_half_open_probe_under_way",
    }
    assert {one.degraded for one in standing(Strategy.SCORE).decides().candidates} == {None, "success_rate"}


if __name__ == "__main__":
    GOLDEN.write_text(
        json.dumps({"rules_version": RULES_VERSION, "digests": digests()}, indent=2) + "\n", encoding="utf-8"
    )
