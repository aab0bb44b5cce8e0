"""What an alert may be about, as its subject says."""

import pytest

from understudy.engine.subjects import no_such_subject
from understudy.events.alerts import ALERTS
from understudy.events.policy import Policy, ProviderSettings
from understudy.projections.standing import Standing

PROVIDERS = (ProviderSettings(id="alpha"), ProviderSettings(id="beta"))


def standing(*lane_by: str) -> Standing:
    found = Standing(policy=Policy(providers=PROVIDERS, lane_by=lane_by))
    found.alerting.share("rent")
    return found


CAN_BE = [
    ("success_rate", "beta"),
    ("circuit_open", "beta"),
    ("circuit_open", "beta quote"),
    ("low_stock", "beta us:wa"),
    ("low_stock", "beta any:any"),
    ("phantom_stock", "beta|us|wa"),
    ("phantom_stock", "beta||"),
    ("quarantine", "alpha BTC/USD"),
    ("no_honest_quote", "BTC/USD"),
    ("fallback_share", "rent"),
    ("suspended", "0646f2a1c8d0"),
    ("late_success", "0646f2a1c8d0"),
    ("late_success", "0646f2a1c8d0 beta"),
    ("command_refused", "12"),
    ("chore_failed", "archive"),
    ("misconfigured", "alpha"),
    ("emergency", ""),
]


@pytest.mark.parametrize(("alert", "subject"), CAN_BE)
def test_a_subject_that_can_be_is_let_through(alert: str, subject: str) -> None:
    assert no_such_subject(standing(), alert, subject) is None


CANNOT_BE = [
    ("low_stock", "beta us wa", "written as PROVIDER COUNTRY:SERVICE, such as 'beta us:wa'; 'beta us wa' is not of"),
    ("low_stock", "beta", "such as 'beta us:wa'; 'beta' is not of that form"),
    ("low_stock", "bta us:wa", "there is no provider 'bta'; did you mean 'beta'?"),
    ("phantom_stock", "beta us:wa", "written as PROVIDER|COUNTRY|SERVICE, such as 'beta|us|wa'"),
    ("success_rate", "beta us any", "about a provider, written as PROVIDER, such as 'beta'; 'beta us any' is not of"),
    ("success_rate", "beta quote", "written as PROVIDER, such as 'beta'"),
    ("misconfigured", "beta us", "written as PROVIDER, such as 'beta'"),
    ("low_stock", "us:wa", "such as 'alpha us:wa'; 'us:wa' is not of that form"),
    ("quarantine", "alpha", "written as PROVIDER PAIR, such as 'alpha BTC/USD'"),
    ("no_honest_quote", "alpha BTC/USD", "written as PAIR, such as 'BTC/USD'"),
    ("fallback_share", "rentt", "there is no operation 'rentt'; did you mean 'rent'?"),
    ("fallback_share", "beta", "is about an operation, and 'beta' is a provider; leave it out for all operations"),
    ("suspended", "646f beta", "about a request, written as its id, such as"),
    ("late_success", "0646f2a1c8d0 bta", "there is no provider 'bta'; did you mean 'beta'?"),
    ("command_refused", "archive", "written as its number, such as '12'"),
    ("local_fault", "alpha", "is about the engine itself, and has no subject; leave 'alpha' out"),
    *((alert, "", "is not of that form") for alert in ("circuit_open", "low_stock", "suspended", "fallback_share")),
]


@pytest.mark.parametrize(("alert", "subject", "why"), CANNOT_BE)
def test_a_subject_that_can_never_be_is_told_with_what_would_be_right(alert: str, subject: str, why: str) -> None:
    assert why in (no_such_subject(standing(), alert, subject) or "")


def test_a_record_is_named_as_lane_by_splits_it() -> None:
    split = standing("country", "service")
    for fits in ("beta us any", "beta any any", "beta us whats app"):
        assert no_such_subject(split, "success_rate", fits) is None
    for lacks in ("beta", "beta us", "beta us "):
        why_not = no_such_subject(split, "success_rate", lacks)
        assert why_not is not None
        assert "PROVIDER COUNTRY SERVICE (as lane_by splits it), such as 'beta any any'" in why_not
    assert no_such_subject(split, "circuit_open", "beta quote") is None


def test_what_stands_may_be_named_however_it_is_spelt() -> None:
    found = standing()
    found.alerts["success_rate|beta us any"] = 1
    assert no_such_subject(found, "success_rate", "beta us any") is None


def test_an_operation_that_nobody_has_called_yet_can_be_and_one_that_is_declared_is_no_slip() -> None:
    assert no_such_subject(standing(), "fallback_share", "charge") is None
    assert no_such_subject(standing(), "fallback_share", "rentt") is not None, "or the test shows nothing"
    assert no_such_subject(standing(), "fallback_share", "rentt", operations=["rentt"]) is None


@pytest.mark.parametrize("alert", ALERTS)
def test_there_is_a_form_for_every_alert(alert: str) -> None:
    anything = "" if alert == "fallback_share" else "a|b c d"  # An operation may be called whatever it likes.
    assert no_such_subject(standing(), alert, anything) is not None
