"""Circuits as vetoes: what opens one, what half-open means, and what failing pings say."""

from given import MS, Story, fails, given, policy_for, succeeds

from understudy.events.policy import ProviderSettings
from understudy.events.vocabulary import FailureKind

TRANSIENT = fails(FailureKind.TRANSIENT)
TIMED_OUT = fails(FailureKind.TIMED_OUT)


def seen(story: Story, provider: str = "a", **request: object) -> tuple[str, int | None]:
    """The verdict on a provider, and in how many milliseconds it ends."""
    one = story.sees(provider, **request)
    return one.verdict, None if one.until_us is None else (one.until_us - story.now_us) // MS


def with_settings(**settings: object) -> ProviderSettings:
    return ProviderSettings.model_validate({"id": "a", **settings})


def test_failures_in_a_row_open_the_circuit_for_the_recovery_time() -> None:
    story = given(policy_for("a")).serves("a", TRANSIENT, times=2)
    assert seen(story) == ("eligible", None)
    assert seen(story.serves("a", TRANSIENT)) == ("circuit_open", 300_000)


def test_a_success_between_keeps_the_circuit_closed() -> None:
    story = given(policy_for("a")).serves("a", TRANSIENT, TRANSIENT, succeeds(), times=5)
    assert seen(story) == ("eligible", None)


def test_a_provider_may_have_thresholds_of_its_own() -> None:
    story = given(policy_for(with_settings(max_failures=1, recovery_time_ms=7_000))).serves("a", TRANSIENT)
    assert seen(story) == ("circuit_open", 7_000)


def test_after_its_rest_the_circuit_lets_one_probe_through_at_a_time() -> None:
    story = given(policy_for("a", max_failures=1, recovery_time_ms=1_000)).serves("a", TRANSIENT).later(ms=1_000)
    assert seen(story) == ("probe", None)
    story.starts("a")
    assert seen(story) == ("circuit_half_open_probe_under_way", 30_000)


def test_the_permit_of_a_probe_that_got_lost_expires() -> None:
    story = given(policy_for("a", max_failures=1, recovery_time_ms=1_000, probe_permit_ms=4_000))
    story.serves("a", TRANSIENT).later(ms=1_000).starts("a")
    assert seen(story.later(ms=3_999))[0] == "circuit_half_open_probe_under_way"
    assert seen(story.later(ms=1)) == ("probe", None)


def test_a_half_open_circuit_awaits_a_ping_where_there_is_one() -> None:
    settings = with_settings(has_ping=True)
    story = given(policy_for(settings, max_failures=1, recovery_time_ms=1_000)).serves("a", TRANSIENT)
    story.serves("a", succeeds(), operation="ping").later(ms=1_000)
    assert seen(story) == ("circuit_half_open_awaits_ping", None)
    assert seen(story.serves("a", succeeds(), operation="ping")) == ("probe", None)


def test_a_trusted_ping_alone_closes_the_circuit() -> None:
    settings = with_settings(has_ping=True, trust_ping=True)
    story = given(policy_for(settings, max_failures=1, recovery_time_ms=1_000)).serves("a", TRANSIENT).later(ms=1_000)
    assert seen(story.serves("a", succeeds(), operation="ping")) == ("eligible", None)


def test_a_successful_probe_closes_the_circuit_and_a_failed_one_doubles_the_rest() -> None:
    story = given(policy_for("a", max_failures=1, recovery_time_ms=1_000, recovery_time_cap_ms=3_000))
    rests = []
    story.serves("a", TRANSIENT)
    for _ in range(4):
        rests.append(seen(story)[1])
        story.later(ms=rests[-1] or 0).serves("a", TRANSIENT)
    assert rests == [1_000, 2_000, 3_000, 3_000]
    story.later(ms=3_000).serves("a", succeeds())
    assert seen(story) == ("eligible", None)
    assert seen(story.serves("a", TRANSIENT)) == ("circuit_open", 1_000)


def test_a_failure_rate_opens_the_circuit_only_after_the_least_number_of_calls() -> None:
    story = given(policy_for("a", max_failure_rate=50, min_calls=10, max_failures=99))
    story.serves("a", succeeds(), TRANSIENT, times=4)
    assert seen(story)[0] == "eligible"
    story.serves("a", succeeds(), TRANSIENT)
    assert seen(story)[0] == "circuit_open"


def test_a_slow_call_rate_opens_the_circuit() -> None:
    story = given(policy_for("a", slow_call_ms=1_000, max_slow_rate=50, min_calls=4))
    story.serves("a", succeeds(after_ms=1_000), times=4)
    assert seen(story)[0] == "eligible"
    story.serves("a", succeeds(after_ms=1_001), times=4)
    assert seen(story)[0] == "circuit_open"


# --- pings


def test_an_idle_provider_whose_pings_fail_is_out_until_one_succeeds() -> None:
    story = given(policy_for(with_settings(has_ping=True))).serves("a", TIMED_OUT, times=2, operation="ping")
    assert seen(story)[0] == "eligible"
    assert seen(story.serves("a", TIMED_OUT, operation="ping")) == ("pings_fail", None)
    assert seen(story.serves("a", succeeds(), operation="ping")) == ("eligible", None)


def test_pings_that_fail_say_nothing_against_a_provider_that_serves() -> None:
    story = given(policy_for(with_settings(has_ping=True))).serves("a", TRANSIENT, times=3, operation="ping")
    assert seen(story.serves("a", succeeds())) == ("eligible", None)


def test_pings_do_not_count_in_the_record_of_serving() -> None:
    story = given(policy_for(with_settings(has_ping=True))).serves("a", succeeds(after_ms=4_000), operation="ping")
    one = story.sees("a")
    assert (one.success_bp, one.average_us, one.score) == (None, None, 115_000)
