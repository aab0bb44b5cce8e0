"""docs/alerts.md: its program that checks a signature does so, its settings can be read, and it names every alert."""

import re
from pathlib import Path
from typing import Any

from repository import ROOT

from understudy.adapters.alerts.webhook import signature
from understudy.adapters.config import load_policy
from understudy.engine import alert_rules, alerts, commands, quarantine
from understudy.engine.request_state import LOOKUP
from understudy.events.alerts import ALERTS
from understudy.events.policy import Policy

PAGE = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_its_check_takes_what_we_sign_and_nothing_else() -> None:
    scope: dict[str, Any] = {}
    exec(next(one for one in blocks("python") if "def is_ours" in one), scope)  # noqa: S102 - it is our own page.
    is_ours, body = scope["is_ours"], b'{"told":"raised"}'
    headers = {"X-Understudy-Timestamp": "1000", "X-Understudy-Signature": signature("secret", "1000", body)}
    assert is_ours(headers, body, "secret", now_s=1_200)
    assert not is_ours(headers, body, "secret", now_s=1_400), "too old"
    assert not is_ours(headers, body + b" ", "secret", now_s=1_000)
    assert not is_ours(headers, body, "another", now_s=1_000)
    assert not is_ours({**headers, "X-Understudy-Timestamp": "1001"}, body, "secret", now_s=1_001)


def test_its_settings_can_be_read(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    (tmp_path / "policy.toml").write_text(text, encoding="utf-8")
    found = load_policy(tmp_path / "policy.toml").alerts
    assert (found.webhook_url, found.webhook_secret, found.daily_at_min) == (
        "https://pager.example/hooks/understudy",
        "ALERT_SECRET",
        420,
    )


def test_it_names_every_alert_and_every_setting() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE))
    assert ALERTS.keys() <= named
    assert {name for name in Policy.model_fields if name.startswith("alert_")} <= named


def test_every_alert_that_rules_raise_has_a_place_in_the_list() -> None:
    modules = (alerts, quarantine, commands, alert_rules)
    named = {value for one in modules for name, value in vars(one).items() if name.isupper() and isinstance(value, str)}
    assert named - {LOOKUP, quarantine.RULES} <= ALERTS.keys()
