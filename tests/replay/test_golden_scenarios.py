"""A rule that changes what the engine does next (waits, look-ups, ends) must raise RULES_VERSION.

Written anew by `PYTHONPATH=tests python tests/replay/test_golden_scenarios.py`.
"""

import json
from hashlib import sha256
from pathlib import Path

import pytest
from scenarios_for_tests import told

from understudy.engine.decide import RULES_VERSION

GOLDEN = Path(__file__).with_name("golden_scenarios.json")
SCENARIOS = (
    "ambiguous-once",
    "cascading-outage",
    "half-open-herd",
    "local-fault",
    "outage",
    "rate-anomaly",
    "retry-after-honoured",
)
CHOSEN = {
    "alert_cleared.v1",
    "alert_raised.v1",
    "call_started.v1",
    "decision_made.v1",
    "quarantine_released.v1",
    "quarantine_set.v1",
    "quotes_requested.v1",
    "request_completed.v1",
    "request_failed.v1",
    "request_suspended.v1",
    "retry_scheduled.v1",
}


# The worker that plays each scenario once.
pytestmark = pytest.mark.xdist_group("scenarios")


def digests() -> dict[str, str]:
    """What the rules chose in each scenario, as one hash."""
    found = {}
    for name in SCENARIOS:
        chosen = [row for row in told(name).rows if row.kind in CHOSEN]
        found[name] = sha256(json.dumps(chosen).encode()).hexdigest()
    return found


def test_a_changed_step_has_a_new_rules_version() -> None:
    golden = json.loads(GOLDEN.read_text())
    fresh = digests()
    changed = [name for name in SCENARIOS if golden["digests"].get(name) != fresh[name]]
    if golden["rules_version"] == RULES_VERSION:
        assert not changed, (
            f"the engine acts otherwise than on record in {', '.join(changed)}, but RULES_VERSION is still"
            f" {RULES_VERSION}: raise it in engine/decide.py, then write the file anew as the first lines here say"
        )
    assert golden == {"rules_version": RULES_VERSION, "digests": fresh}


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({"rules_version": RULES_VERSION, "digests": digests()}, indent=2) + "\n")
