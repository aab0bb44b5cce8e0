"""The policy: what is refused, what is derived, and a hash that is its content's."""

from decimal import Decimal

import pytest
from pydantic import ValidationError

from understudy.events.policy import Policy, ProviderSettings
from understudy.events.vocabulary import ServicePriority, operation_class

A, B = ProviderSettings(id="a"), ProviderSettings(id="b", weight=Decimal("0.0000001"), price=Decimal(2))


def refused(**settings: object) -> str:
    with pytest.raises(ValidationError) as raised:
        Policy.model_validate(settings)
    return str(raised.value)


def test_the_defaults_are_those_of_the_documents() -> None:
    policy = Policy()
    assert (policy.window, policy.retry_attempts, policy.retry_delay_ms) == (100, 2, 500)
    assert (int(policy.min_success_rate), policy.max_response_time_ms, policy.request_timeout_ms) == (95, 3_000, 5_000)
    assert (policy.max_failures, policy.recovery_time_ms) == (3, 300_000)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"max_failuers": 3}, "unknown setting max_failuers; did you mean max_failures? ["),
        ({"loadBalancing": "score"}, "unknown setting loadBalancing; did you mean strategy? ["),
        ({"zzz": 1}, "unknown setting zzz ["),
        ({"a{b}%s": 1}, "unknown setting a{b}%s ["),
        ({"weight": 1}, "unknown setting weight; it is a setting of a provider: ProviderSettings(weight=...) ["),
        ({"providers": [{"id": "a", "wieght": 1}]}, "unknown setting wieght; did you mean weight? ["),
        (
            {"providers": [{"id": "a", "wieght": 1}], "zzz": 1},
            "unknown setting wieght; did you mean weight? [",
        ),
        (
            {"providers": [{"id": "a", "strategy": "score"}]},
            "unknown setting strategy; it is a setting of the whole policy: Policy(strategy=...) [",
        ),
    ],
    ids=lambda one: str(one)[:30],
)
def test_an_unknown_setting_is_refused_with_what_was_meant(settings: dict[str, object], sentence: str) -> None:
    assert sentence in refused(**settings)


def test_an_unknown_setting_does_not_keep_other_faults_from_being_told() -> None:
    told = refused(max_failuers=3, window=0, slow_call_ms="soon")
    assert told.startswith("3 validation errors for Policy")
    assert "did you mean max_failures?" in told
    assert "greater than or equal to 1" in told
    assert "valid integer" in told


def test_the_settings_of_a_provider_are_refused_alike() -> None:
    with pytest.raises(ValidationError, match=r"unknown setting prioritty; did you mean priority\?"):
        ProviderSettings.model_validate({"id": "a", "prioritty": 1})
    with pytest.raises(ValidationError, match=r"unknown setting max_failuers"):
        Policy(max_failuers=3)  # type: ignore[call-arg]  # As a user would write it.


def test_a_tier_may_be_named_by_its_word_in_code_too() -> None:
    words = Policy.model_validate(
        {"providers": [{"id": "a", "priority": "backup"}, {"id": "b", "priority": "Emergency"}]}
    )
    assert [one.priority for one in words.providers] == [ServicePriority.BACKUP, ServicePriority.EMERGENCY]
    numbers = Policy.model_validate({"providers": [{"id": "a", "priority": 3}, {"id": "b", "priority": 4}]})
    assert words.content_hash == numbers.content_hash
    assert "priority" in refused(providers=[{"id": "a", "priority": "last"}])


def test_two_providers_of_one_name_are_refused() -> None:
    assert "provider 'a' is configured twice; ids must be unique" in refused(providers=(A, A))


def test_a_preferred_provider_must_be_configured() -> None:
    told = refused(providers=(A, B), preferred_provider="c")
    assert "preferred_provider 'c' is not configured; known: a, b" in told


def test_a_preferred_provider_may_come_before_the_providers() -> None:
    assert Policy(preferred_provider="c").preferred_provider == "c"


@pytest.mark.parametrize("settings", [{"slow_call_ms": 100}, {"max_slow_rate": 50}])
def test_the_two_settings_of_slow_calls_belong_together(settings: dict[str, int]) -> None:
    assert "slow_call_ms and max_slow_rate belong together" in refused(**settings)


@pytest.mark.parametrize("settings", [{"windw": 5}, {"window": 0}, {"exploration": 2}, {"providers": ({"id": "a b"},)}])
def test_unknown_names_and_impossible_values_are_refused(settings: dict[str, object]) -> None:
    assert next(iter(settings)) in refused(**settings)


def test_equal_policies_have_equal_hashes_and_others_others() -> None:
    assert Policy().content_hash == Policy().content_hash != Policy(window=99).content_hash
    assert len(Policy().content_hash) == 64


def test_other_providers_are_validated_anew() -> None:
    assert Policy(window=7).with_providers([A, B]).by_id == {"a": A, "b": B}
    with pytest.raises(ValidationError, match="configured twice"):
        Policy().with_providers([A, A])


def test_a_changed_copy_forgets_what_was_worked_out_of_the_first() -> None:
    first = Policy(providers=(A,))
    assert (list(first.by_id), first.exploration_ppm) == (["a"], 10_000)
    second = first.model_copy(update={"providers": (B,), "exploration": Decimal("0.5")})
    assert (list(second.by_id), second.exploration_ppm) == (["b"], 500_000)
    assert second.content_hash != first.content_hash


def test_a_weight_that_is_not_nothing_counts_at_least_a_millionth() -> None:
    assert Policy(providers=(A, B)).weights_ppm == {"a": 1_000_000, "b": 1}
    assert Policy(providers=(A, B)).prices == {"b": Decimal(2)}


@pytest.mark.parametrize(
    ("operation", "its_class"), [("rent", "serve"), ("ping", "ping"), ("price", "stock"), ("lookup", "lookup")]
)
def test_side_operations_have_lanes_of_their_own(operation: str, its_class: str) -> None:
    assert operation_class(operation) == its_class
