"""`understudy policy check` of a converter's file: its table `multiService` is checked, and shown like a policy."""

import subprocess
from pathlib import Path

from cli.command_line import PATIENCE_S, answered, program, run

CONVERTER = """{"pool": {"fee": 1}, "multiService": {"maxFailures": 4, "secrets": ["KEY"], "enabled": false,
  "services": [{"id": "alpha", "api": "apis.toml"}, {"id": "beta", "api": "apis.toml", "weight": 0.5}]}}"""


def test_a_converters_file_is_checked_as_one_and_shown_like_a_policy(tmp_path: Path) -> None:
    path = tmp_path / "conv.json"
    path.write_text(CONVERTER)
    result = run("policy", "check", path, environment={"UNDERSTUDY_WINDOW": "50"})
    assert result.exit_code == 0, result.output
    lines = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines() if line}
    assert lines["max_failures"] == ["4", str(path)]
    assert lines["window"] == ["50", "UNDERSTUDY_WINDOW"]
    assert lines["strategy"] == ["weighted", "default"], "as a converter has it where nobody says otherwise"
    assert (lines["enabled"], lines["secrets"]) == (["false", str(path)], ["KEY", str(path)])
    assert lines["services.alpha.api"] == ["apis.toml", str(path)]
    assert lines["providers.beta.weight"] == ["0.5", str(path)]
    assert f"{path}: the converter's settings (multiService) can be used" in result.stderr
    own = {"enabled": False, "secrets": ["KEY"], "apis": {"alpha": "apis.toml", "beta": "apis.toml"}}
    assert answered("policy", "check", path)["converter"] == own


def test_what_is_wrong_with_a_converters_file_is_told_in_its_own_words(tmp_path: Path) -> None:
    path = tmp_path / "conv.json"
    path.write_text(CONVERTER.replace("maxFailures", "maxFailuers"))
    result = run("policy", "check", path)
    assert result.exit_code == 1
    assert f"error: {path}: line 1: maxFailuers is unknown; did you mean 'maxFailures'?" in result.stderr
    assert result.stderr.endswith("the converter's settings (multiService) cannot be used; 1 thing is wrong\n")


def test_a_converters_settings_may_come_from_a_pipe_which_can_be_read_but_once() -> None:
    words = program("policy", "check", "-")
    result = subprocess.run(words, input=CONVERTER, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert result.returncode == 0, result.stderr
    assert "the converter's settings (multiService) can be used" in result.stderr


def test_of_a_policy_there_is_nothing_to_say_of_a_converter(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text("max_failures = 5")
    assert answered("policy", "check", path)["converter"] is None
