"""`understudy policy check`: what a policy comes to, what is wrong with it, and what is only odd."""

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from cli.command_line import PATIENCE_S, answered, program, refused, run

from understudy.adapters.cli.policy_warnings import advice, warnings
from understudy.events.policy import Policy, ProviderSettings
from understudy.events.vocabulary import ServicePriority, Strategy


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text("strategy = 'weighted'\nmaxFailures = 5\n[providers.alpha]\nweight = 0.6\n[providers.beta]\n")
    return path


def test_a_good_policy_is_shown_whole_with_the_origin_of_each_setting(good: Path) -> None:
    result = run("policy", "check", good, environment={"UNDERSTUDY_WINDOW": "50"})
    assert result.exit_code == 0, result.output
    lines = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines() if line}
    assert lines["max_failures"] == ["5", str(good)]
    assert lines["window"] == ["50", "UNDERSTUDY_WINDOW"]
    assert lines["deadline_ms"] == ["30000", "default"]
    assert lines["providers.alpha.weight"] == ["0.6", str(good)]
    assert lines["providers.beta"] == ["default"]
    assert result.stderr.splitlines() == [
        "advice: 2 providers have priority 1 (primary): at least 3 leave a choice when one of them is out",
        (
            "advice: no provider has priority 4 (emergency): when all others are out, requests fail until a circuit"
            " has rested (last_resort_ms tries one meanwhile)"
        ),
        f"{good}: the policy can be used; 2 to think about",
    ]


def test_what_a_file_says_besides_the_policy_is_shown_too_but_for_a_url_that_may_be_a_secret(good: Path) -> None:
    assert (answered("policy", "check", good)["alerts"], answered("policy", "check", good)["archive"]) == (None, None)
    with good.open("a") as file:
        file.write('[alerts]\nwebhook_url = "https://pager.example/s3cret"\nwebhook_secret = "PAGER"\n')
        file.write('daily_at = "07:05"\n[archive]\nolder_than = "720h"\nat = "3:00"\n')
    result = run("policy", "check", good)
    assert result.exit_code == 0, result.output
    lines = [
        line.removesuffix(str(good)).split() for line in result.stdout.splitlines() if "al" in line or "ar" in line
    ]
    told = {name: " ".join(value) for name, *value in lines if name.startswith(("alerts.", "archive."))}
    assert told == {
        "alerts.webhook_url": "(a URL)",
        "alerts.webhook_secret": "PAGER",
        "alerts.daily_at": "07:05",
        "archive.older_than": "30d",
        "archive.at": "03:00",
    }
    found = answered("policy", "check", good)
    assert found["archive"] == {"older_than": "30d", "at": "03:00", "to": None}
    assert found["alerts"] == {"webhook_url": "(a URL)", "webhook_secret": "PAGER", "daily_at": "07:05"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('alert_stock_of = ["us-wa"]', "it must be a list, each country:service, like us:wa"),
        ("[alerts]\ndaily_at = 07:00:00", 'is 07:00:00; it must be a time of day in UTC in quotes, like "07:00"'),
        (
            '[archive]\nolder_than = "30d"\nat = 03:00:00',
            'is 03:00:00; it must be a time of day in UTC in quotes, like "03:00"',
        ),
    ],
)
def test_a_setting_of_the_wrong_form_is_told_the_form_that_it_must_have(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    assert told in run("policy", "check", path).stderr


def test_amounts_and_fees_are_shown_as_a_file_has_them(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(
        "max_emergency_amount = { BTC = 0.00000001 }\n[providers.alpha]\n"
        "fees = { percent = 0.5, withdrawal = { BTC = 0.0001 } }\n[providers.beta]\nfees = {}\n"
    )
    text = run("policy", "check", path).stdout
    lines = {
        line.split()[0]: line.removesuffix(str(path)).split(None, 1)[1].strip() for line in text.splitlines()[1:-1]
    }
    assert lines["max_emergency_amount"] == "{ BTC = 0.00000001 }"
    assert lines["providers.alpha.fees"] == "{ percent = 0.5, withdrawal = { BTC = 0.0001 } }"
    assert lines["providers.beta.fees"] == "{}"
    assert "Decimal" not in text


def test_its_json_is_the_policy_as_the_log_would_have_it(good: Path) -> None:
    found = answered("policy", "check", good)
    policy = Policy.model_validate(found["policy"])
    assert found["valid"] is True
    assert found["policy_hash"] == policy.content_hash
    assert policy.max_failures == 5
    assert found["provenance"]["max_failures"] == str(good)


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n"])
def test_a_file_that_sets_nothing_is_hardly_meant(text: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    sentence = f"{path} sets nothing: everything is as by default"
    result = run("policy", "check", path)
    assert result.exit_code == 0
    assert result.stderr.splitlines()[0] == f"warning: {sentence}"
    assert answered("policy", "check", path)["warnings"] == [sentence]
    partly = run("policy", "check", path, environment={"UNDERSTUDY_WINDOW": "50"})
    assert "sets nothing: but for what the environment says, everything is as by default" in partly.stderr
    path.write_text("window = 70\n")
    assert "sets nothing" not in run("policy", "check", path, environment={"UNDERSTUDY_WINDOW": "50"}).stderr


def test_a_wrong_policy_ends_with_1_and_every_mistake(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text("windo = 1\nmax_failures = 0\n")
    result = run("policy", "check", path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        f"error: {path}: windo is unknown; did you mean 'window'?",
        f"error: {path}: max_failures is 0; it must be a whole number of at least 1",
        f"{path}: the policy cannot be used; 2 things are wrong",
    ]
    found = answered("policy", "check", path, code=1)
    assert found["valid"] is False
    assert [one["where"] for one in found["errors"]] == ["windo", "max_failures"]


def test_a_file_that_is_not_there_ends_with_2(tmp_path: Path) -> None:
    assert refused("policy", "check", tmp_path / "nothing") == f"there is no file {tmp_path / 'nothing'}"
    assert refused("policy", "check", tmp_path) == f"{tmp_path} is a directory; name a file"


def test_a_policy_may_come_from_a_pipe_and_not_from_a_device(tmp_path: Path) -> None:
    done = subprocess.run(
        program("policy", "check", "-"), input="windo = 1\n", capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        1,
        "error: /dev/stdin: windo is unknown; did you mean 'window'?",
    )
    reading_end, writing_end = os.pipe()
    os.write(writing_end, b"maxFailures = 4")
    os.close(writing_end)
    assert answered("policy", "check", f"/dev/fd/{reading_end}")["policy"]["max_failures"] == 4
    os.close(reading_end)
    assert refused("policy", "check", "/dev/null") == "/dev/null is not a regular file"


@pytest.mark.parametrize("words", [("policy", "check", "-"), ("simulate", "--scenario", "/dev/stdin")], ids=" ".join)
def test_a_pipe_that_never_ends_is_not_read_for_ever(words: tuple[str, ...]) -> None:
    endless = [sys.executable, "-c", "import sys\nwhile True: sys.stdout.write('window = 1\\n' * 1_000)"]
    with subprocess.Popen(endless, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as source:
        done = subprocess.run(
            program(*words), stdin=source.stdout, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
        assert source.stdout is not None
        source.stdout.close()  # Now it has no reader any more, and ends.
    assert done.returncode != 0
    assert "it is larger than 10,000,000 bytes" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_variable_that_is_misspelt_is_blamed_on_the_environment(good: Path) -> None:
    environment = {"UNDERSTUDY_WINDO": "3", "UNDERSTUDY_PROVIDERS__ALPHA__WEIGTH": "1"}
    result = run("policy", "check", good, environment=environment)
    assert result.stderr.splitlines() == [
        "error: UNDERSTUDY_PROVIDERS__ALPHA__WEIGTH is unknown; did you mean UNDERSTUDY_PROVIDERS__ALPHA__WEIGHT?",
        "error: UNDERSTUDY_WINDO is unknown; did you mean UNDERSTUDY_WINDOW?",
        "the environment: the policy cannot be used; 2 things are wrong",
    ]


def test_warnings_stand_on_standard_error_and_change_no_exit_code(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    path.write_text('{"deadline_ms": 1000}')
    result = run("policy", "check", path)
    assert result.exit_code == 0
    assert "warning: request_timeout_ms 5,000 is longer than deadline_ms 1,000" in result.stderr
    assert len(answered("policy", "check", path)["warnings"]) == 1


THREE = tuple(ProviderSettings(id=name) for name in "abc")
EMERGENCY = ProviderSettings(id="z", priority=ServicePriority.EMERGENCY)
ALPHA = ProviderSettings(id="alpha", weight=Decimal(0))


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        (Policy(retry_delay_ms=40_000), "retry_delay_ms 40,000 is above its cap 30,000"),
        (Policy(recovery_time_ms=4_000_000), "recovery_time_ms 4,000,000 is above its cap 3,600,000"),
        (Policy(window=10), "min_calls 20 is more than window 10 holds"),
        (Policy(strategy=Strategy.IN_ORDER, exploration=Decimal("0.1")), "exploration has no effect with strategy"),
        (Policy(exploration=Decimal(0), explore_once=True), "explore_once has no effect while exploration is 0"),
        (Policy(providers=(ALPHA,)), "weight (alpha) has no effect with strategy score"),
        (Policy(strategy=Strategy.WEIGHTED, providers=(ALPHA,)), "every provider of tier 1 has weight 0"),
        (Policy(fallback_enabled=False, max_providers=2), "max_providers 2 has no effect while fallback_enabled is"),
    ],
)
def test_what_is_hardly_meant_is_a_warning(policy: Policy, sentence: str) -> None:
    (found,) = warnings(policy)
    assert found.startswith(sentence)


def test_the_default_policy_is_not_odd() -> None:
    assert list(warnings(Policy())) == []


def test_advice_stands_beside_the_warnings_and_changes_no_exit_code(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text("recovery_time_ms = 1_000\nwindow = 10\n")
    found = answered("policy", "check", path)
    assert len(found["warnings"]) == 1
    (advised,) = found["advice"]
    assert advised.startswith(
        "recovery_time_ms 1,000 is far below a typical outage: in one of five minutes, 8 probes find"
    )
    assert run("policy", "check", path).stderr.splitlines()[-1].endswith("the policy can be used; 2 to think about")


def test_a_policy_as_the_documents_advise_needs_no_advice() -> None:
    assert list(advice(Policy(providers=(*THREE, EMERGENCY)))) == []
    assert list(advice(Policy())) == [], "who the providers are is not known yet"


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        (Policy(providers=(*THREE[:1], EMERGENCY)), "1 provider has priority 1 (primary): at least 3 leave a choice"),
        (Policy(providers=(EMERGENCY,)), "0 providers have priority 1 (primary)"),
        (Policy(providers=THREE), "no provider has priority 4 (emergency)"),
        (Policy(recovery_time_ms=29_999), "recovery_time_ms 29,999 is far below a typical outage"),
        (
            Policy(providers=(*THREE[1:], EMERGENCY, ProviderSettings(id="q", recovery_time_ms=50))),
            "recovery_time_ms of q 50 is far below a typical outage: in one of five minutes, 12 probes find out",
        ),
        (Policy(recovery_time_ms=10_000, recovery_time_cap_ms=10_000), "recovery_time_ms 10,000 is far below"),
        (Policy(ping_interval_ms=60_000), "ping_interval_ms 60,000, ping_retry_ms 2,000 and max_failures 3 notice"),
        (Policy(deadline_ms=9_000), "deadline_ms 9,000 leaves a second provider no full request_timeout_ms 5,000"),
        (Policy(exploration=Decimal(0)), "exploration is 0: no log will be able to say"),
        (Policy(fallback_enabled=False), "fallback_enabled is false: only the first choice is ever asked"),
    ],
)
def test_what_experience_says_otherwise_is_advice(policy: Policy, sentence: str) -> None:
    (found,) = advice(policy)
    assert found.startswith(sentence)
    assert list(warnings(policy)) == []


def test_the_probes_of_an_outage_are_counted_as_the_circuit_makes_them() -> None:
    (capped,) = advice(Policy(recovery_time_ms=10_000, recovery_time_cap_ms=10_000))
    assert "29 probes" in capped
    (doubling,) = advice(Policy(recovery_time_ms=10_000))
    assert "4 probes" in doubling
