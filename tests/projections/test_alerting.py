"""What is told after a silence, as the log alone has it: whoever has not heard of an alert is to hear of it."""

import pytest

from understudy.events.alerts import AlertSilenced
from understudy.projections.alerting import Alerting

NAME = "success_rate|a"


def silence(until_us: int) -> AlertSilenced:
    return AlertSilenced(alert="success_rate", until_us=until_us, actor="ann", reason="we know")


@pytest.mark.parametrize("attended", [False, True])
def test_a_silence_after_another_keeps_what_nobody_has_told_in_between(*, attended: bool) -> None:
    alerting = Alerting()
    alerting.engine_starts(0)
    alerting.silence(silence(100), at_us=10)
    alerting.raised(NAME, 7, at_us=20)
    alerting.attended = attended
    alerting.silence(silence(300), at_us=200)
    assert (NAME in alerting.muted) != attended
    alerting.cleared(NAME, 8, at_us=250)
    assert alerting.hushed != attended, "its end is told to those who have heard of it"


def test_an_engine_that_starts_tells_of_all_that_is_not_silenced() -> None:
    alerting = Alerting()
    alerting.silence(silence(100), at_us=10)
    alerting.raised(NAME, 7, at_us=20)
    alerting.engine_starts(50)
    assert alerting.muted == {NAME: 7}
    alerting.engine_starts(100)
    assert alerting.muted == {}
