"""Who may be asked: every veto by its name, with its end where it has one, and which of several is told."""

import pytest
from given import MS, NOON, Story, fails, given, policy_for, succeeds

from understudy.engine.eligibility import asking, verdict
from understudy.engine.health import Status, health
from understudy.events.operations import OverrideCleared, ProbeRequested
from understudy.events.policy import ProviderSettings
from understudy.events.requests import RequestAccepted
from understudy.events.vocabulary import Effect, FailureKind, ForcedState
from understudy.projections.standing import Standing

TRANSIENT = fails(FailureKind.TRANSIENT)
TIMED_OUT = fails(FailureKind.TIMED_OUT)


def seen(story: Story, provider: str = "a", **request: object) -> tuple[str, int | None]:
    """The verdict on a provider, and in how many milliseconds it ends."""
    one = story.sees(provider, **request)
    return one.verdict, None if one.until_us is None else (one.until_us - story.now_us) // MS


def with_settings(**settings: object) -> ProviderSettings:
    return ProviderSettings.model_validate({"id": "a", **settings})


def test_a_provider_of_which_nothing_is_known_is_eligible() -> None:
    assert seen(given(policy_for("a"))) == ("eligible", None)


def test_a_provider_that_has_been_tried_is_vetoed() -> None:
    assert seen(given(policy_for("a")), tried=("a",)) == ("already_tried", None)


def test_the_rules_judge_a_provider_that_the_standing_has_not_met() -> None:
    policy = policy_for("a", max_in_flight=1)
    standing = Standing(policy=policy)
    accepted = RequestAccepted(request_id="r", operation="rent", effect=Effect.READ, deadline_at_us=NOON)
    asked = asking(standing, accepted, tried=(), since_us=NOON, now_us=NOON)
    assert verdict(standing, policy.providers[0], asked, None) == ("eligible", None)


# --- what operators force


@pytest.mark.parametrize(("state", "name"), [(ForcedState.OPEN, "forced_open"), (ForcedState.DRAIN, "drained")])
def test_a_forced_state_keeps_a_provider_out_until_it_expires(state: ForcedState, name: str) -> None:
    story = given(policy_for("a")).forces("a", state, for_ms=1_000)
    assert seen(story) == (name, 1_000)
    assert seen(story.later(ms=999)) == (name, 1)
    assert seen(story.later(ms=1)) == ("eligible", None)


@pytest.mark.parametrize(("state", "name"), [(ForcedState.OPEN, "forced_open"), (ForcedState.DRAIN, "drained")])
def test_a_forced_state_without_an_end_lasts_until_it_is_cleared(state: ForcedState, name: str) -> None:
    story = given(policy_for("a")).forces("a", state).later(ms=10**9)
    assert seen(story) == (name, None)
    story.note(OverrideCleared(provider="a", actor="op", reason="done"))
    assert seen(story) == ("eligible", None)


def test_a_provider_that_is_forced_closed_is_called_whatever_its_circuit_says() -> None:
    story = given(policy_for("a", max_failures=1)).serves("a", TRANSIENT)
    assert seen(story)[0] == "circuit_open"
    assert seen(story.forces("a", ForcedState.CLOSED, for_ms=1_000)) == ("eligible", None)
    assert seen(story.later(ms=1_000))[0] == "circuit_open"


def test_a_probe_that_an_operator_wants_is_the_next_request() -> None:
    story = given(policy_for("a", max_failures=1)).serves("a", TRANSIENT)
    assert seen(story)[0] == "circuit_open"
    story.note(ProbeRequested(provider="a", actor="op", reason="they say it is over"))
    assert seen(story) == ("probe", None)


def test_a_provider_that_is_forced_closed_is_called_whatever_its_pings_say() -> None:
    story = given(policy_for(with_settings(has_ping=True))).serves("a", TRANSIENT, times=3, operation="ping")
    assert seen(story) == ("pings_fail", None)
    assert seen(story.forces("a", ForcedState.CLOSED)) == ("eligible", None)


def test_what_is_forced_closed_still_obeys_limits_and_accounts() -> None:
    story = given(policy_for("a")).forces("a", ForcedState.CLOSED)
    assert seen(story.serves("a", fails(FailureKind.RATE_LIMITED)))[0] == "throttled"
    assert seen(story.serves("a", fails(FailureKind.MISCONFIGURED)))[0] == "misconfigured"


def test_a_request_under_way_at_a_drained_provider_is_looked_up_there() -> None:
    settings = with_settings(has_lookup=True)
    story = given(policy_for(settings, "b")).accepts(Effect.ONCE).tries(fails(FailureKind.AMBIGUOUS))
    story.forces("a", ForcedState.DRAIN)
    assert story.moves().event.kind == "call_started.v1"  # type: ignore[union-attr]


# --- load


def test_a_provider_that_throttles_is_left_alone_as_long_as_it_asked() -> None:
    story = given(policy_for("a")).serves("a", fails(FailureKind.RATE_LIMITED, retry_after_ms=2_500))
    assert seen(story) == ("throttled", 2_500)
    assert seen(story.later(ms=2_500)) == ("eligible", None)


def test_a_later_and_shorter_throttle_does_not_shorten_an_earlier_one() -> None:
    story = given(policy_for("a")).serves("a", fails(FailureKind.RATE_LIMITED, retry_after_ms=60_000))
    story.serves("a", fails(FailureKind.RATE_LIMITED, retry_after_ms=10))
    assert seen(story) == ("throttled", 59_900)


def test_our_own_rate_limit_lets_a_burst_go_and_then_spaces_calls() -> None:
    story = given(policy_for(with_settings(max_calls_per_second=2, burst=3)))
    allowed = 0
    while seen(story)[0] == "eligible":
        story.starts("a")
        allowed += 1
    assert (allowed, seen(story)) == (3, ("rate_limit", 500))
    story.later(ms=500).starts("a")
    assert seen(story) == ("rate_limit", 500)


def test_without_a_burst_calls_are_spaced_from_the_first() -> None:
    story = given(policy_for(with_settings(max_calls_per_second=4)))
    story.starts("a")
    assert seen(story) == ("rate_limit", 250)


def test_a_rate_limit_holds_over_any_stretch_of_time() -> None:
    story = given(policy_for(with_settings(max_calls_per_second=10, burst=5)))
    starts = []
    for _ in range(400):
        if seen(story)[0] == "eligible":
            story.starts("a")
            starts.append(story.now_us)
        story.later(ms=7)
    for begin in range(len(starts)):
        for end in range(begin, len(starts)):
            assert end - begin + 1 <= 5 + (starts[end] - starts[begin]) / 100_000


def test_calls_under_way_are_limited_by_provider() -> None:
    story = given(policy_for(with_settings(max_in_flight=2), "b"))
    first = story.starts("a")
    story.starts("a")
    assert seen(story) == ("max_in_flight", 100)
    assert seen(story, "b") == ("eligible", None)
    assert seen(story.ends(first, TRANSIENT))[0] == "eligible"


def test_calls_under_way_are_limited_over_all_providers() -> None:
    story = given(policy_for("a", "b", max_in_flight=2))
    story.starts("a")
    second = story.starts("b")
    assert seen(story) == seen(story, "b") == ("global_max_in_flight", 100)
    assert seen(story.ends(second, succeeds()))[0] == "eligible"


def test_calls_are_spaced_over_all_providers() -> None:
    story = given(policy_for("a", "b", max_calls_per_second=10, burst=2))
    story.starts("a")
    story.starts("b")
    assert seen(story) == seen(story, "b") == ("global_rate_limit", 100)
    assert seen(story.later(ms=100))[0] == "eligible"


def test_pings_are_not_among_the_calls_under_way() -> None:
    story = given(policy_for(with_settings(max_in_flight=1)))
    story.starts("a", "ping")
    assert seen(story)[0] == "eligible"


# --- stock


def test_a_known_stock_of_nothing_is_a_veto_until_it_is_too_old() -> None:
    story = given(policy_for("a", stock_ttl_ms=5_000)).serves("a", succeeds(stock=0), operation="stock")
    assert seen(story) == ("out_of_stock", None)
    assert seen(story.later(ms=4_999)) == ("out_of_stock", None)
    assert seen(story.later(ms=1)) == ("eligible", None)


def test_one_in_stock_is_no_veto() -> None:
    story = given(policy_for("a")).serves("a", succeeds(stock=1), operation="stock")
    assert seen(story) == ("eligible", None)


# --- several at once: the one that a person would want to hear of first


def test_of_several_vetoes_the_most_telling_is_named() -> None:
    settings = with_settings(has_ping=True, max_in_flight=1)
    story = given(policy_for(settings, max_failures=1, max_in_flight=1))
    story.serves("a", succeeds(stock=0), operation="stock")
    story.starts("a")
    names = []

    def note_it(*, ended: bool = True) -> None:
        assert ended
        names.append(seen(story)[0])

    story.serves("a", TRANSIENT)
    note_it()
    story.serves("a", fails(FailureKind.RATE_LIMITED))
    note_it()
    story.serves("a", TRANSIENT, operation="ping")
    note_it()
    story.serves("a", fails(FailureKind.INSUFFICIENT_FUNDS))
    note_it()
    story.serves("a", fails(FailureKind.MISCONFIGURED))
    note_it()
    story.forces("a", ForcedState.DRAIN)
    note_it()
    assert names == [
        "max_in_flight",
        "throttled",
        "pings_fail",
        "insufficient_funds",
        "misconfigured",
        "drained",
    ]
    assert seen(story, tried=("a",))[0] == "already_tried"


def test_lanes_split_by_context_have_circuits_of_their_own() -> None:
    story = given(policy_for("a", max_failures=1, lane_by=("country",)))
    story.ends(story.starts("a", country="us"), TRANSIENT)
    assert seen(story, country="us")[0] == "circuit_open"
    assert seen(story, country="fr")[0] == "eligible"


# --- the same for people


def test_health_tells_of_each_provider_what_a_decision_would_say() -> None:
    story = given(policy_for("a", "b", "c", "d", max_failures=2))
    story.serves("a", succeeds()).serves("b", TRANSIENT, succeeds(), times=2).serves("c", TRANSIENT, times=2)
    story.starts("d")
    told = health(story.standing, story.now_us)
    assert [(one.provider, one.status, one.verdict) for one in told] == [
        ("a", Status.HEALTHY, "eligible"),
        ("b", Status.DEGRADED, "eligible"),
        ("c", Status.UNAVAILABLE, "circuit_open"),
        ("d", Status.HEALTHY, "eligible"),
    ]
    assert [one.score for one in told] == [100_000, 65_000, 15_000, 100_000]
    assert [one.in_flight for one in told] == [0, 0, 0, 1]
    assert told[1].degraded == "success_rate"
    assert told[2].until_us == story.now_us + 300_000 * MS
