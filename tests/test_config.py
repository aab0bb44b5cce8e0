"""A policy from a file and the environment: every spelling is understood, every mistake is named, all at once."""

import contextlib
import json
import re
import runpy
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import hypothesis
import pytest
from hypothesis import strategies as st
from pydantic_core import to_json
from repository import ROOT

from understudy.adapters.cli.main import main
from understudy.adapters.config import DEFAULT, PolicyFileError, load_policy
from understudy.events.names import ALIASES, snake_case
from understudy.events.policy import Policy, ProviderSettings
from understudy.events.vocabulary import ServicePriority, Strategy

_KEYS = st.sampled_from([*ProviderSettings.model_fields, "x", "maxFailures"])


def in_toml(folder: Path, text: str) -> Path:
    path = folder / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def in_json(folder: Path, text: str) -> Path:
    path = folder / "policy.json"
    path.write_text(text, encoding="utf-8")
    return path


def faults(path: Path | None, environment: Mapping[str, str] | None = None) -> list[str]:
    """What is said of a policy that is refused, without the folder of the file."""
    with pytest.raises(PolicyFileError) as refused:
        load_policy(path, environment=environment)
    folder = "" if path is None else f"{path.parent}/"
    assert str(refused.value) == "\n".join(str(fault) for fault in refused.value.faults)
    return [str(fault).replace(folder, "") for fault in refused.value.faults]


# Spellings


@pytest.mark.parametrize("key", ["max_failures", "max-failures", "maxFailures", "MAX_FAILURES", "maxServiceFailures"])
def test_a_setting_is_known_by_each_of_its_spellings(key: str, tmp_path: Path) -> None:
    assert load_policy(in_toml(tmp_path, f"{key} = 7")).policy.max_failures == 7


@pytest.mark.parametrize("word", ["round_robin", "round-robin", "roundRobin", "ROUND_ROBIN"])
def test_a_strategy_is_known_by_each_of_its_spellings(word: str, tmp_path: Path) -> None:
    assert load_policy(in_toml(tmp_path, f'loadBalancing = "{word}"')).policy.strategy is Strategy.ROUND_ROBIN


@pytest.mark.parametrize("word", [2, "secondary", "SECONDARY", "ServicePriority.SECONDARY"])
def test_a_priority_is_a_number_or_its_name(word: int | str, tmp_path: Path) -> None:
    path = in_json(tmp_path, json.dumps({"providers": [{"id": "a", "priority": word}]}))
    assert load_policy(path).policy.providers[0].priority is ServicePriority.SECONDARY


def test_the_documents_way_to_configure_services_is_understood(tmp_path: Path) -> None:
    text = """{
        "loadBalancing": "least-used", "autoFailover": true, "requestTimeout": 4000, "serviceRecoveryTime": 300000,
        "services": [
            {"id": "one", "priority": 1, "weight": 0.4, "maxFailures": 3, "recoveryTime": 300000},
            {"id": "two", "priority": 1, "weight": 0.3, "maxFailures": 5, "recoveryTime": 600000}
        ]
    }"""
    policy = load_policy(in_json(tmp_path, text)).policy
    assert policy == Policy(
        strategy=Strategy.LEAST_USED,
        fallback_enabled=True,
        request_timeout_ms=4_000,
        recovery_time_ms=300_000,
        providers=(
            ProviderSettings(id="one", weight=Decimal("0.4"), max_failures=3, recovery_time_ms=300_000),
            ProviderSettings(id="two", weight=Decimal("0.3"), max_failures=5, recovery_time_ms=600_000),
        ),
    )


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_is_no_setting_of_its_own(alias: str) -> None:
    known = Policy.model_fields.keys() | ProviderSettings.model_fields.keys()
    assert alias not in known
    assert ALIASES[alias] in known


def test_providers_are_a_list_or_a_table_by_id(tmp_path: Path) -> None:
    listed = load_policy(in_json(tmp_path, '{"providers": [{"id": "sms-activate", "weight": 2}, {"id": "b"}]}'))
    by_id = load_policy(in_toml(tmp_path, "[providers.sms-activate]\nweight = 2\n[providers.b]\n"))
    assert listed.policy == by_id.policy


def test_numbers_with_a_point_are_read_digit_for_digit(tmp_path: Path) -> None:
    digits = "0.1000000000000000055511151231257827021181583404541015625"
    for path in (in_toml(tmp_path, f"exploration = {digits}"), in_json(tmp_path, f'{{"exploration": {digits}}}')):
        assert str(load_policy(path).policy.exploration) == digits


@pytest.mark.parametrize("name", ["policy", "policy.conf"])
def test_a_file_of_another_name_is_json_if_it_begins_with_a_brace(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    for text in ('\n {"window": 7}', "window = 7", "\ufeffwindow = 7\r\n"):
        path.write_text(text, encoding="utf-8", newline="")
        assert load_policy(path).policy.window == 7


@hypothesis.given(
    st.builds(
        Policy,
        strategy=st.sampled_from(Strategy),
        exploration=st.decimals(0, 1, places=6),
        max_providers=st.none() | st.integers(1, 9),
        lane_by=st.lists(st.sampled_from(["country", "service"]), unique=True).map(tuple),
        providers=st.lists(
            st.builds(
                ProviderSettings,
                id=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,9}", fullmatch=True),
                weight=st.decimals(0, 10, places=3),
                priority=st.sampled_from(ServicePriority),
                trust_ping=st.none() | st.booleans(),
            ),
            unique_by=lambda one: one.id,
            max_size=3,
        ).map(tuple),
    )
)
def test_a_policy_that_was_written_down_is_read_as_it_was(policy: Policy) -> None:
    values = json.loads(to_json(policy))
    for one in values["providers"]:
        del one["has_ping"], one["has_lookup"], one["has_quote"], one["has_sync"], one["two_part"]
    environment = {"UNDERSTUDY_PROVIDERS": json.dumps(values.pop("providers"))}
    for name, value in values.items():
        text = ",".join(value) if isinstance(value, list) else "none" if value is None else str(value)
        environment[f"UNDERSTUDY_{name.upper()}"] = text
    assert load_policy(environment=environment).policy == policy


# Where settings come from


def test_the_environment_comes_before_the_file_and_the_file_before_the_defaults(tmp_path: Path) -> None:
    path = in_toml(tmp_path, "window = 7\nmax_failures = 7\n[[providers]]\nid = 'sms-activate'\nweight = 1\nburst = 4")
    loaded = load_policy(
        path,
        environment={
            "UNDERSTUDY_WINDOW": "8",
            "UNDERSTUDY_PROVIDERS__SMS_ACTIVATE__WEIGHT": "0.25",
            "PATH": "/usr/bin",
            "UNDERSTUDY_BURST": "  ",
        },
    )
    policy, provenance = loaded.policy, loaded.provenance
    assert (policy.window, policy.max_failures, policy.burst) == (8, 7, 10)
    assert policy.providers == (ProviderSettings(id="sms-activate", weight=Decimal("0.25"), burst=4),)
    assert provenance["window"] == "UNDERSTUDY_WINDOW"
    assert provenance["max_failures"] == str(path)
    assert provenance["burst"] == DEFAULT
    assert provenance["providers.sms-activate.weight"] == "UNDERSTUDY_PROVIDERS__SMS_ACTIVATE__WEIGHT"
    assert provenance["providers.sms-activate.burst"] == str(path)


def test_nothing_anywhere_is_the_default_policy() -> None:
    loaded = load_policy()
    assert loaded.policy == Policy()
    assert set(loaded.provenance.values()) == {DEFAULT}


def test_lists_and_nones_can_be_said_in_the_environment(tmp_path: Path) -> None:
    path = in_toml(tmp_path, "max_providers = 2")
    environment = {"UNDERSTUDY_LANE_BY": "country, service", "UNDERSTUDY_MAX_PROVIDERS": "none"}
    policy = load_policy(path, environment=environment).policy
    assert policy.lane_by == ("country", "service")
    assert policy.max_providers is None


def test_all_providers_can_be_said_in_the_environment_in_place_of_the_files(tmp_path: Path) -> None:
    path = in_toml(tmp_path, "[providers.alpha]\nweight = 3")
    environment = {
        "UNDERSTUDY_PROVIDERS": '[{"id": "beta", "weight": 0.1}]',
        "UNDERSTUDY_PROVIDERS__BETA__MAX_FAILURES": "9",
    }
    loaded = load_policy(path, environment=environment)
    assert loaded.policy.providers == (ProviderSettings(id="beta", weight=Decimal("0.1"), max_failures=9),)
    assert not any("alpha" in name for name in loaded.provenance)


# Refusals


def test_all_that_is_wrong_is_told_at_once_by_the_names_the_file_gives(tmp_path: Path) -> None:
    text = """
        strategy = "scor"
        maxFailures = 0
        min-success-rate = 120.5
        windo = 3
        retry_attempts = true
        requestTimeout = 1.5
        lane_by = ["countri"]
        providers = [
            {id = "alpha", priority = 5, weigth = 1},
            {weight = -1},
            {id = "alpha", max_failures = "x"},
            7,
        ]
    """
    found = faults(in_toml(tmp_path, text), {"UNDERSTUDY_WINDOW": "wide"})
    dimensions = "operation, service, country, rental_id, pair"
    tiers = "1 (primary), 2 (secondary), 3 (backup), 4 (emergency), or that word"
    unique = "ids must be unique, so name all but one anew"
    strategies = "score, weighted, round_robin, least_used, fastest, best_rate, cheapest, in_order"
    for expected in (
        f"policy.toml: strategy is 'scor'; it must be one of {strategies}; did you mean 'score'?",
        "policy.toml: maxFailures is 0; it must be a whole number of at least 1",
        "policy.toml: min-success-rate is 120.5; it must be a number from 0 to 100",
        "policy.toml: windo is unknown; did you mean 'window'?",
        "policy.toml: retry_attempts is true; it must be a whole number from 0 to 20",
        "policy.toml: requestTimeout is 1.5; it must be a whole number of milliseconds from 1 to 10,000,000,000",
        f"policy.toml: lane_by is 'countri'; it must be a list, each one of {dimensions}",
        f"policy.toml: provider 'alpha': priority is 5; it must be one of {tiers}",
        "policy.toml: provider 'alpha': weigth is unknown; did you mean 'weight'?",
        "policy.toml: provider number 2: weight is -1; it must be a number from 0 to 1,000,000",
        "policy.toml: provider 'alpha': max_failures is 'x'; it must be a whole number of at least 1 or none",
        "policy.toml: provider number 4 is 7; it must be a table of settings",
        f"policy.toml: providers has the id 'alpha' 2 times: provider number 1 and provider number 3; {unique}",
        "UNDERSTUDY_WINDOW is 'wide'; it must be a whole number from 1 to 10,000",
    ):
        assert expected in found
    assert any(fault.startswith("policy.toml: provider number 2 has no id; it must be a name") for fault in found)
    assert len(found) == 15


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "[providers.alpha]\npriority = 'primry'",
            (
                "provider 'alpha': priority is 'primry'; it must be one of 1 (primary), 2 (secondary), 3 (backup),"
                " 4 (emergency), or that word; did you mean 'primary'?"
            ),
        ),
        (
            "[providers.alpha]\n[providers.beta]\nid = 'alpha'\n[providers.gamma]\nid = 'alpha'",
            "providers has the id 'alpha' 3 times: provider 'alpha', provider 'beta' and provider 'gamma'; ids must be",
        ),
        ("timeout = 3", "timeout is unknown; did you mean 'request_timeout_ms'?"),
        ("recoveryTimee = 3", "recoveryTimee is unknown; did you mean 'recoveryTime'?"),
        ("servces = []", "servces is unknown; did you mean 'services'?"),
        ("max-failurs = 1", "max-failurs is unknown; did you mean 'max-failures'?"),
        ("requestTimeOutMs = 1", "requestTimeOutMs is unknown; did you mean 'requestTimeoutMs'?"),
        ("request_timeou = 1", "request_timeou is unknown; did you mean 'request_timeout_ms'?"),
        ("zzz = 1", "zzz is unknown"),
        ("weight = 1", "weight is a setting of a provider; move it to the provider that it is about"),
        ("maxFailures = 1\nmax_failures = 2", "max_failures means the same as maxFailures; keep one of the two"),
        ("providers = 3", "providers is 3; it must be a list of providers, or a table of them by id"),
        ("[providers.a]\nwindow = 3", "provider 'a': window is a setting of the whole policy, not of one provider"),
        ("[providers.a]\nhas_ping = true", "provider 'a': has_ping cannot be set"),
        ("preferredProvider = 'b'\nproviders.a = {}", "preferred_provider 'b' is not configured; known: a"),
        ("slow_call_ms = 5", "slow_call_ms and max_slow_rate belong together"),
        ("exploration = nan", "exploration is NaN; it must be a number from 0 to 1"),
        ("exploration = inf", "exploration is Infinity; it must be a number from 0 to 1"),
        ("window = [1]", "window is [1]; it must be a whole number from 1 to 10,000"),
        ("window = {a = 1}", "window is a table; it must be a whole number from 1 to 10,000"),
        ("window =\n", "this is not valid TOML: Invalid value (at line 1"),
    ],
)
def test_a_mistake_in_toml_is_named(text: str, sentence: str, tmp_path: Path) -> None:
    (found,) = faults(in_toml(tmp_path, text))
    assert found.startswith(f"policy.toml: {sentence}")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (" \n", "this is not valid JSON: it is empty"),
        (
            '{"window": 7,}',
            "this is not valid JSON: a comma stands behind the last entry, before the closing bracket; ",
        ),
        ('{"a": [1, 2}', "this is not valid JSON: Expecting ',' delimiter (at line 1, column 12)"),
        ('{"window", 7}', "this is not valid JSON: Expecting ':' delimiter (at line 1, column 10)"),
        ('{"window": 7, "window": 8}', "this is not valid JSON: the key 'window' stands twice in the same object"),
        ('{"exploration": NaN}', "this is not valid JSON: NaN is not a number that JSON knows"),
        ("[]", "settings are an object: it begins with {"),
        ('{"window": null}', "window is null; it must be a whole number from 1 to 10,000"),
        ("[" * 100_000, "this is not valid JSON: a number or a nesting is beyond all measure"),
    ],
)
def test_a_mistake_in_json_is_named(text: str, sentence: str, tmp_path: Path) -> None:
    (found,) = faults(in_json(tmp_path, text))
    assert found.startswith(f"policy.json: {sentence}")


def test_a_comma_before_a_closing_bracket_is_found_in_its_line(tmp_path: Path) -> None:
    (found,) = faults(in_json(tmp_path, '\n{"providers": [{"id": "a"},\n\n], "window": 7}'))
    assert found.endswith("before the closing bracket; take it out (at line 2)")


@pytest.mark.parametrize(
    ("variable", "text", "sentence"),
    [
        ("UNDERSTUDY_RETRY_ATTEMPT", "3", "is unknown; did you mean UNDERSTUDY_RETRY_ATTEMPTS?"),
        ("UNDERSTUDY_", "3", "is unknown"),
        ("UNDERSTUDY_WINDOW__DEEP", "3", "goes too deep: window has nothing below it"),
        ("UNDERSTUDY_PROVIDERS__SMS_ACTIVTE__WEIGHT", "3", "names no provider that is configured; did you mean"),
        ("UNDERSTUDY_PROVIDERS__SMS_ACTIVATE", "3", "must name a provider and one of its settings"),
        ("UNDERSTUDY_PROVIDERS__SMS_ACTIVATE__WEIGTH", "3", "is unknown; did you mean UNDERSTUDY_PROVIDERS__SMS_ACT"),
        ("UNDERSTUDY_PROVIDERS__A_B__WEIGHT", "3", "may mean a.b or a-b; set it in the file instead"),
        ("UNDERSTUDY_PROVIDERS", "[", "is not valid JSON: "),
        ("UNDERSTUDY_EXPLORE_ONCE", "perhaps", "is 'perhaps'; it must be true or false"),
    ],
)
def test_a_mistake_in_the_environment_is_named(variable: str, text: str, sentence: str, tmp_path: Path) -> None:
    path = in_toml(tmp_path, "[providers]\nsms-activate = {}\n'a.b' = {}\n'a-b' = {}")
    (found,) = faults(path, {variable: text})
    assert found.startswith(f"{variable} {sentence}")


def test_a_provider_cannot_be_changed_where_none_is_configured() -> None:
    (found,) = faults(None, {"UNDERSTUDY_PROVIDERS__A__WEIGHT": "1"})
    assert found.endswith("is about a provider, and none is configured; configure it in a file first")


def test_a_file_that_cannot_be_read_is_told_in_a_sentence(tmp_path: Path) -> None:
    assert faults(tmp_path / "nothing.toml") == ["nothing.toml: there is no such file"]
    (tmp_path / "folder").mkdir()
    assert faults(tmp_path / "folder") == ["folder: this is a directory; name a file"]
    (tmp_path / "bytes.toml").write_bytes(b"window = 1 # \xff")
    assert faults(tmp_path / "bytes.toml") == ["bytes.toml: this is not UTF-8 text (byte 13)"]
    (tmp_path / "huge.toml").write_bytes(b"#" * 10_000_001)
    assert faults(tmp_path / "huge.toml")[0].startswith("huge.toml: this is no file of settings: it is larger than")


@hypothesis.given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
        max_leaves=12,
    )
)
def test_whatever_a_file_says_it_is_a_policy_or_refused(values: Any) -> None:
    with contextlib.suppress(PolicyFileError):
        loaded = load_policy(environment={"UNDERSTUDY_PROVIDERS": json.dumps(values)})
        assert len(loaded.policy.providers) == len(values or ())


# The documentation


def test_the_tables_in_the_documentation_are_those_of_the_policy() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "policy_table.py"))
    text = tool["DOCUMENT"].read_text(encoding="utf-8")
    assert tool["updated"](text) == text, "run tools/policy_table.py"


def test_the_examples_in_the_documentation_are_one_policy(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    toml, json_text = (text.partition(f"```{kind}\n")[2].partition("```")[0] for kind in ("toml", "json"))
    policy = load_policy(in_toml(tmp_path, toml)).policy
    assert policy == load_policy(in_json(tmp_path, json_text)).policy
    assert len(policy.providers) == 2


def test_the_file_for_the_seven_best_practices_sets_what_its_table_says(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    section = text.partition("## The seven best practices")[2].partition("\n## ")[0]
    loaded = load_policy(in_toml(tmp_path, section.partition("```toml\n")[2].partition("```")[0]))
    usual = Policy()
    assert loaded.policy.alert_success_rate == usual.alert_success_rate == Decimal(90)
    assert loaded.policy.sync_interval_ms == usual.sync_interval_ms == 6 * 3_600_000
    assert len(loaded.policy.drill_schedule) == 1
    assert loaded.alerts.daily_at_min == 7 * 60
    assert loaded.archive is not None
    assert loaded.archive.older_than_ms == 30 * 86_400_000
    commands = set(re.findall(r"`understudy (\w+)", section))
    assert commands == {"report", "sync", "doctor", "drill", "preferences", "archive"}
    assert commands <= set(main.list_commands(click.Context(main)))


@pytest.mark.parametrize("name", Policy.model_fields)
def test_our_own_names_are_in_snake_case(name: str) -> None:
    assert snake_case(name) == name


def test_all_tables_of_a_file_are_told_of_at_once(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(
        'strategy = "cheepest"\ndrill_schedule = ["monthly on 1 at 03:00: outge alpha for 60s"]\n'
        '[providers.alpha]\n[archive]\nolder_than = "x"\n[alerts]\nwebhook_url = "htp://x"\n'
    )
    with pytest.raises(PolicyFileError) as refused:
        load_policy(path)
    told = str(refused.value)
    for place in ("strategy is 'cheepest'", "drill_schedule", "archive: older_than is 'x'", "alerts: webhook_url is"):
        assert place in told
