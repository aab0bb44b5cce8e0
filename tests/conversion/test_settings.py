"""The settings of a converter: the documents' own shape, read as it is, and everything wrong told at once."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from understudy.adapters.conversion.files import read_settings
from understudy.adapters.conversion.settings import ConverterSettings, SettingsError, settings_from
from understudy.events.policy import Policy
from understudy.events.vocabulary import ServicePriority, Strategy

DOCUMENT_B = """
// config/default.json
{
  "multiService": {
    "enabled": true,
    "parallelQueries": true,
    "maxParallelRequests": 3,
    "requestTimeout": 5000,
    "loadBalancing": "weighted",
    "autoFailover": true,
    "alwaysUseBestRate": true,
    "services": [
      {
        "id": "btcpay_lightning",
        "priority": "ServicePriority.PRIMARY",
        "weight": 0.4,
        "maxFailures": 3,
        "recoveryTime": 300000  // 5 minutes
      },
      {
        "id": "simpleswap", /* 30 % of traffic
        */ "priority": "PRIMARY", "weight": 0.3, "maxFailures": 5, "recoveryTime": 600000
      }
    ],
    "maxServiceFailures": 3,
    "serviceRecoveryTime": 300000,
    "maxRateDifference": 0.02  // 2% max acceptable difference
  }
}
"""


def of(**values: Any) -> ConverterSettings:
    return settings_from(values, source="test")


def refused(**values: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        of(**values)
    return str(caught.value)


def in_file(folder: Path, text: str, name: str = "settings.json") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_configuration_of_the_document_is_read_as_it_stands_there(tmp_path: Path) -> None:
    read = read_settings(in_file(tmp_path, DOCUMENT_B))
    policy = read.policy
    assert (read.enabled, read.policy.parallel_queries) == (True, True)
    assert (policy.max_parallel_requests, policy.request_timeout_ms, policy.strategy) == (3, 5000, Strategy.WEIGHTED)
    assert (policy.fallback_enabled, policy.always_use_best_rate) == (True, True)
    assert (policy.max_failures, policy.recovery_time_ms) == (3, 300_000)
    assert policy.max_rate_difference == Decimal("0.02")
    told = [(one.id, one.priority, one.weight, one.max_failures, one.recovery_time_ms) for one in policy.providers]
    assert told == [
        ("btcpay_lightning", ServicePriority.PRIMARY, Decimal("0.4"), 3, 300_000),
        ("simpleswap", ServicePriority.PRIMARY, Decimal("0.3"), 5, 600_000),
    ]


def test_what_nobody_says_is_as_the_document_has_it() -> None:
    read = of(services=[{"id": "a"}])
    assert (read.enabled, read.secrets, read.apis) == (True, (), {})
    policy = read.policy
    assert (policy.strategy, policy.fallback_enabled, policy.always_use_best_rate) == (Strategy.WEIGHTED, True, True)
    assert policy.parallel_queries
    assert (policy.max_parallel_requests, policy.request_timeout_ms) == (3, 5_000)
    assert (policy.max_failures, policy.recovery_time_ms, policy.max_rate_difference) == (3, 300_000, Decimal("0.02"))
    assert (policy.trust_ping, policy.retry_attempts) == (True, 0)


def test_python_names_say_the_same_as_the_names_of_the_document() -> None:
    camel = of(loadBalancing="round-robin", autoFailover=False, maxParallelRequests=2, services=[{"id": "a"}])
    snake = of(load_balancing="round_robin", auto_failover=False, max_parallel_requests=2, services=[{"id": "a"}])
    own = of(strategy="round-robin", fallback_enabled=False, maxParallelRequests=2, providers=[{"id": "a"}])
    assert camel == snake == own
    assert camel.policy.strategy is Strategy.ROUND_ROBIN


@pytest.mark.parametrize(
    "strategy", ["weighted", "round_robin", "least_used", "score", "best_rate", "cheapest", "fastest"]
)
def test_every_way_of_balancing_the_load_may_have_hyphens_or_underscores(strategy: str) -> None:
    spellings = {of(load_balancing=one).policy.strategy for one in (strategy, strategy.replace("_", "-"))}
    assert spellings == {Strategy(strategy)}


def test_other_settings_of_the_policy_and_of_services_can_be_said_too() -> None:
    service = {"id": "kraken", "requestTimeout": 900, "maxCallsPerSecond": Decimal("0.5"), "burst": 2}
    policy = of(deadline_ms=20_000, maxInFlight=40, services=[service]).policy
    assert (policy.deadline_ms, policy.max_in_flight) == (20_000, 40)
    (kraken,) = policy.providers
    assert (kraken.request_timeout_ms, kraken.max_calls_per_second, kraken.burst) == (900, Decimal("0.5"), 2)


def test_fees_are_read_to_the_digit(tmp_path: Path) -> None:
    fees = '{"percent": 0.1600000000000000000001, "flat": "0.1", "withdrawal": {"BTC": 0.00050}}'
    text = f'{{"multiService": {{"services": [{{"id": "kraken", "fees": {fees}}}]}}}}'
    (kraken,) = read_settings(in_file(tmp_path, text)).policy.providers
    assert str(kraken.fees.percent) == "0.1600000000000000000001"
    assert (kraken.fees.flat, kraken.fees.withdrawal) == (Decimal("0.1"), {"BTC": Decimal("0.00050")})


def test_without_parallel_queries_one_service_is_asked_after_another() -> None:
    policy = of(parallelQueries=False, maxParallelRequests=2).policy
    assert (policy.parallel_queries, policy.max_parallel_requests) == (False, 2)


def test_an_unknown_name_is_refused_with_the_one_that_was_meant() -> None:
    told = refused(paralelQueries=True, maxFailuers=3, services=[{"id": "a", "wieght": 1}])
    assert "maxServiceFailure is unknown; did you mean 'maxServiceFailures'?" in refused(maxServiceFailure=3)
    assert "max_service_failure is unknown; did you mean 'max_service_failures'?" in refused(max_service_failure=3)
    assert "servces is unknown; did you mean 'services'?" in refused(servces=[])
    assert "paralelQueries is unknown; did you mean 'parallelQueries'?" in told
    assert "maxFailuers is unknown; did you mean 'maxFailures'?" in told
    assert "provider 'a': wieght is unknown; did you mean 'weight'?" in told


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            {"maxParallelRequests": 2, "max_parallel_requests": 3},
            "max_parallel_requests means the same as maxParallelRequests",
        ),
        ({"loadBalancing": "weighted", "strategy": "fastest"}, "strategy means the same as loadBalancing"),
        ({"Enabled": True, "enabled": True}, "enabled is said twice, in two spellings"),
        (
            {"services": [{"id": "a", "maxFailures": 1, "max_failures": 2}]},
            "max_failures means the same as maxFailures",
        ),
    ],
)
def test_two_spellings_of_one_setting_are_refused(values: dict[str, Any], told: str) -> None:
    assert told in refused(**values)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"enabled": "yes"}, "enabled is 'yes'; it must be true or false"),
        ({"parallelQueries": "perhaps"}, "parallelQueries is 'perhaps'; it must be true or false"),
        ({"secrets": "KEY"}, "secrets is 'KEY'; it must be a list of names of variables"),
        ({"maxRateDifference": 2}, "maxRateDifference is 2; it must be a number from 0 to 1"),
        ({"loadBalancing": "wieghted"}, "did you mean 'weighted'?"),
        ({"services": [{"id": "a", "api": 7}]}, "service number 1: api is 7; it must be the path of a file"),
        ({"services": [{"id": "a", "priority": 5}]}, "provider 'a': priority is 5; it must be one of 1 (primary)"),
        ({"services": [{"id": "a"}, {"id": "a"}]}, "ids must be unique"),
        ({"weight": 1}, "weight is a setting of a provider; move it to the provider that it is about"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_name(values: dict[str, Any], told: str) -> None:
    assert told in refused(**values)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    told = refused(enabled=0, maxFailures=0, parallelQuerys=True, services=[{"id": "a", "api": ""}])
    assert len(told.splitlines()) == 4


def test_a_file_is_refused_with_the_line_of_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"settings\.json: this is not valid JSON: .* \(at line 4, column 3"):
        read_settings(in_file(tmp_path, '// one\n/* two\n three */ {"multiService":\n  ]}'))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"multiservice": {}}', "multiService is lacking; is 'multiservice' meant to be it?"),
        ("{}", "multiService is lacking; the converter's settings stand under that key"),
        ('{"multiService": {}, "multi_service": {}}', "multiService stands there twice"),
        ('{"multiService": []}', "multiService must be an object of settings"),
        ('{"multiService": {} /* open', "the comment that begins with /* at line 1 does not end"),
    ],
)
def test_a_file_without_the_converters_table_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(in_file(tmp_path, text))
    assert told in str(caught.value)


def test_other_tables_of_the_same_file_are_nobodys_business(tmp_path: Path) -> None:
    text = '{"pool": {"fee": 1}, "multiService": {"maxFailures": 7}, "web": []}'
    assert read_settings(in_file(tmp_path, text)).policy.max_failures == 7


def test_the_same_can_be_said_in_toml(tmp_path: Path) -> None:
    path = in_file(
        tmp_path, '[multiService]\nloadBalancing = "cheapest"\n[multiService.services.a]\nweight = 0.5\n', "s.toml"
    )
    read = read_settings(path)
    assert read.policy.strategy is Strategy.CHEAPEST
    assert [(one.id, one.weight) for one in read.policy.providers] == [("a", Decimal("0.5"))]


def test_a_variable_of_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    path = in_file(tmp_path, '{"multiService": {"maxFailures": 7, "services": [{"id": "a"}]}}')
    variables = {"UNDERSTUDY_MAX_FAILURES": "9", "UNDERSTUDY_PROVIDERS__A__WEIGHT": "0.25"}
    policy = read_settings(path, environment=variables).policy
    assert (policy.max_failures, policy.providers[0].weight, policy.trust_ping) == (9, Decimal("0.25"), True)
    with pytest.raises(SettingsError, match="UNDERSTUDY_MAX_FAILUERS is unknown"):
        read_settings(path, environment={"UNDERSTUDY_MAX_FAILUERS": "9"})


def test_apis_of_services_are_kept_beside_the_policy() -> None:
    listed = of(services=[{"id": "a", "api": "one.toml"}, {"id": "b"}])
    by_name = of(services={"a": {"api": "one.toml"}, "b": {}})
    assert listed.apis == by_name.apis == {"a": "one.toml"}
    assert listed.policy == by_name.policy
    assert isinstance(listed.policy, Policy)


def test_a_setting_of_a_file_that_cannot_be_used_is_told_with_its_line(tmp_path: Path) -> None:
    text = """// config/default.json
{ "pool": {"maxFailuers": 1},
  "multiService": {
    "maxFailuers": 3, /* as
    above */ "enabled": 1,
    "services": [
      {"id": "a", "weight": 1}, // {"id": "b"
      {"id": "b",
       "weight": -1},
      {"weight": 1}
    ]
  }
}"""
    with pytest.raises(SettingsError) as caught:
        read_settings(in_file(tmp_path, text))
    lines = [re.split(" is | has ", one.partition("settings.json: ")[2])[0] for one in str(caught.value).splitlines()]
    assert sorted(lines) == [
        "line 10: provider number 3",
        "line 4: maxFailuers",
        "line 5: enabled",
        "line 9: provider 'b': weight",
    ]


def test_a_misspelt_fee_is_told_by_its_name() -> None:
    told = refused(services=[{"id": "kraken", "fees": {"precent": "0.16"}}])
    assert "provider 'kraken': fees has the unknown setting precent; did you mean percent?" in told


def test_tables_by_coin_know_a_coin_however_it_is_written() -> None:
    told = of(maxEmergencyAmount={"eth": "2"}, services=[{"id": "kraken", "fees": {"withdrawal": {"btc": "0.0001"}}}])
    assert told.policy.max_emergency_amount == {"ETH": Decimal(2)}
    assert told.policy.by_id["kraken"].fees.withdrawal == {"BTC": Decimal("0.0001")}


def test_a_limit_or_a_fee_under_a_coin_that_is_not_known_is_refused() -> None:
    told = refused(maxEmergencyAmount={"ETHX": "2"}, services=[{"id": "a", "fees": {"withdrawal": {"BTX": "1"}}}])
    assert "maxEmergencyAmount names a coin that cannot be meant: coin 'ETHX' is unknown; did you mean 'ETH'?" in told
    assert "provider 'a': fees names a coin that cannot be meant: coin 'BTX' is unknown" in told
    assert "names the coin ETH twice" in refused(max_emergency_amount={"eth": "1", "ETH": "2"}, services=[{"id": "a"}])


def test_the_line_of_a_coin_that_is_not_known_is_told(tmp_path: Path) -> None:
    path = in_file(tmp_path, '{"multiService": {\n"maxEmergencyAmount": {"ETHX": 1},\n"services": [{"id": "a"}]}}')
    with pytest.raises(SettingsError, match="line 2: maxEmergencyAmount names a coin"):
        read_settings(path)
