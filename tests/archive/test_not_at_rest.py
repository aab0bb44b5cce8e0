"""Which requests keep their rows in the database: those that an alert is about, however it names them."""

import pytest
from given import given, policy_for

from understudy.adapters.archive.sealing import not_at_rest
from understudy.events.operations import AlertRaised


@pytest.mark.parametrize(
    ("alert", "subject", "kept"),
    [
        ("late_success", "r1", ["r1"]),
        ("late_success", "r1 beta", ["r1"]),  # The second one of the same request.
        ("circuit_open", "alpha us", []),
        ("local_fault", "", []),
    ],
)
def test_rows_that_an_alert_is_about_stay(alert: str, subject: str, kept: list[str]) -> None:
    story = given(policy_for("alpha", "beta"))
    story.note(AlertRaised(alert=alert, subject=subject, message="look at it"))
    assert not_at_rest(story.ledger) == kept
