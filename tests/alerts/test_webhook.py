"""Alerts by webhook, over real sockets: what is posted and how it is signed, what counts as taken, what is not told."""

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer
from providers_for_tests import Told

from understudy.adapters import SqliteLog, SqliteReader
from understudy.adapters.alerts import AlertDelivery, Webhook, alert_delivery
from understudy.adapters.alerts.daily_page import DailyPage
from understudy.adapters.config import PolicyFileError, load_policy
from understudy.adapters.config_alerts import AlertSettings
from understudy.adapters.providers import GivenCredentials
from understudy.engine import Engine, Policy, Strategy, Transient
from understudy.engine.alert_channels import NotDelivered, Notice
from understudy.events.alerts import AlertDelivered, AlertDeliveryFailed, Severity
from understudy.events.alerts import Told as What
from understudy.events.codec import decode

SECRET = "correct horse battery staple"
KEPT = GivenCredentials({"ALERT_SECRET": SECRET})
NOTICE = Notice(
    delivery_id="f" * 32,
    told=What.RAISED,
    alert="circuit_open",
    subject="alpha",
    severity=Severity.ERROR,
    message="the circuit of alpha has not been closed for 15 min",
    at_us=1_767_225_600_123_000,
    stream="main",
    seq=41,
)
BAD = Policy(
    strategy=Strategy.IN_ORDER, retry_attempts=0, max_failures=1_000, alert_min_calls=1, alert_fallback_share=Decimal(1)
)


class Hook:
    """A server that answers as told, and keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: list[Callable[[], Awaitable[web.StreamResponse]] | int] = []
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.elsewhere = 0

    async def receive(self, request: web.Request) -> web.StreamResponse:
        self.heard.append((dict(request.headers), await request.read()))
        answer = self.answers.pop(0) if self.answers else 200
        return web.Response(status=answer) if isinstance(answer, int) else await answer()

    async def lead_elsewhere(self, _: web.Request) -> web.StreamResponse:
        self.elsewhere += 1
        return web.Response()


@pytest.fixture
async def hook() -> AsyncIterator[tuple[Hook, BaseTestServer]]:
    made, app = Hook(), web.Application()
    app.router.add_post("/token-1234/alerts", made.receive)
    app.router.add_route("*", "/elsewhere", made.lead_elsewhere)
    async with TestServer(app) as server:
        yield made, server


def webhook(server: BaseTestServer, **more: Any) -> Webhook:
    url = str(server.make_url("/token-1234/alerts"))
    return Webhook(url, secret="ALERT_SECRET", credentials=KEPT, **more)


async def test_a_notice_is_posted_as_json_with_a_signature_over_time_and_body(
    hook: tuple[Hook, BaseTestServer],
) -> None:
    heard, server = hook
    await webhook(server, clock=lambda: 1_767_225_601.9).deliver(NOTICE)
    ((headers, body),) = heard.heard
    signed = hmac.new(SECRET.encode(), b"1767225601." + body, hashlib.sha256).hexdigest()
    assert headers["X-Understudy-Timestamp"] == "1767225601"
    assert headers["X-Understudy-Signature"] == f"sha256={signed}"
    assert headers["X-Understudy-Delivery"] == NOTICE.delivery_id
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == {
        "delivery_id": "f" * 32,
        "told": "raised",
        "alert": "circuit_open",
        "subject": "alpha",
        "severity": "error",
        "message": "the circuit of alpha has not been closed for 15 min",
        "at": "2026-01-01T00:00:00.123+00:00",
        "stream": "main",
        "seq": 41,
    }


@pytest.mark.parametrize("status", [301, 307, 400, 404, 429, 500, 503])
async def test_nothing_but_a_2xx_is_taken_and_no_redirect_is_followed(
    hook: tuple[Hook, BaseTestServer], status: int
) -> None:
    heard, server = hook

    async def answer() -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": "/elsewhere"}, text=SECRET)

    heard.answers = [answer]
    with pytest.raises(NotDelivered, match=f"^it answered {status}"):
        await webhook(server).deliver(NOTICE)
    assert (len(heard.heard), heard.elsewhere) == (1, 0)


async def test_neither_secret_nor_url_is_told_anywhere(
    hook: tuple[Hook, BaseTestServer], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, server = hook
    caplog.set_level(logging.DEBUG)
    channel = webhook(server)
    await server.close()
    with pytest.raises(NotDelivered, match="Client") as refused:
        await channel.deliver(NOTICE)
    log = SqliteLog(tmp_path / "calls.db")
    providers = [Told("a", [Transient("down")]), Told("b")]
    alerts = AlertDelivery(channels=[channel], attempts=1)
    async with Engine(providers=providers, log=log, policy=BAD, alerts=alerts) as engine:
        await engine.call("x")
        await _until(lambda: not engine.standing.alerting.owed["webhook"])
    with SqliteReader.open(tmp_path / "calls.db") as reader:
        rows = list(reader.rows())
    assert any(isinstance(decode(row), AlertDeliveryFailed) for row in rows)
    for told in (str(refused.value), repr(channel), repr(KEPT), caplog.text, str(rows)):
        assert SECRET not in told
        assert "token-1234" not in told


async def test_an_engine_posts_again_until_it_is_taken_and_stops_at_once_beside_a_hook_that_hangs(
    hook: tuple[Hook, BaseTestServer], tmp_path: Path
) -> None:
    heard, server = hook
    gone = asyncio.Event()

    async def hang() -> web.StreamResponse:
        await gone.wait()
        return web.Response()

    heard.answers = [503, 200, hang]
    log = SqliteLog(tmp_path / "calls.db")
    alerts = AlertDelivery(channels=[webhook(server)], retry_ms=10, attempt_ms=300_000)
    providers = [Told("a", [Transient("down")]), Told("b")]
    async with Engine(providers=providers, log=log, policy=BAD, alerts=alerts) as engine:
        await engine.call("x")
        await _until(lambda: not engine.standing.alerting.owed["webhook"])
        for _ in range(40):
            await engine.call("x")
        await _until(lambda: len(heard.heard) == 3)
        began_s = asyncio.get_running_loop().time()
        await engine.stop()
        assert asyncio.get_running_loop().time() - began_s < 60  # Not as long as an attempt may take.
    gone.set()
    ids = [headers["X-Understudy-Delivery"] for headers, _ in heard.heard]
    assert ids[0] == ids[1] != ids[2]
    async with Engine(providers=providers, log=log, policy=BAD, alerts=alerts) as engine:
        await _until(lambda: not engine.standing.alerting.owed["webhook"])
    assert heard.heard[3][0]["X-Understudy-Delivery"] == ids[2]
    with log.reader() as reader:
        delivered = [event for row in reader.rows() if isinstance(event := decode(row), AlertDelivered)]
    assert [(one.told, one.attempts) for one in delivered] == [("raised", 2), ("cleared", 1)]


async def _until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - What is waited for happens in another program, as it were.
            await asyncio.sleep(0.005)


def settings(tmp_path: Path, text: str) -> AlertSettings:
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return load_policy(path).alerts


TABLE = """
max_failures = 5
[alerts]
webhook_url = "$ALERT_URL"
webhook_secret = "ALERT_SECRET"
daily_at = "07:05"
"""


def test_the_table_of_a_settings_file_says_how_people_are_told(tmp_path: Path) -> None:
    found = settings(tmp_path, TABLE)
    assert found.daily_at_min == 7 * 60 + 5
    assert found.variables == ("ALERT_URL", "ALERT_SECRET")
    kept = GivenCredentials({"ALERT_SECRET": SECRET, "ALERT_URL": "https://pager.example/t/1234"})
    made = alert_delivery(found, db=tmp_path / "calls.db", credentials=kept)
    assert [repr(one) for one in made.channels] == ["Webhook(pager.example)"]
    assert made.daily_at_min == 425
    with pytest.raises(ValueError, match="in which file the log is"):
        alert_delivery(found, credentials=kept)
    with pytest.raises(LookupError, match="alerts: webhook_url: ALERT_URL is not set: there is no such variable"):
        alert_delivery(found, db=tmp_path / "calls.db")
    unset = GivenCredentials({"ALERT_URL": "https://pager.example/t/1234"})
    with pytest.raises(LookupError, match="alerts: webhook_secret: there is no secret ALERT_SECRET"):
        alert_delivery(found, db=tmp_path / "calls.db", credentials=unset)
    assert alert_delivery(settings(tmp_path, "max_failures = 5")).channels == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[alerts]\nwebhook_ulr = "http://x"', "alerts: webhook_ulr is unknown; did you mean 'webhook_url'"),
        ('[alerts]\nwebhook_url = "http://x"', "has only one of webhook_url and webhook_secret"),
        ('[alerts]\nwebhook_url = "ftp://x"\nwebhook_secret = "S"', "it must be an http or https URL"),
        ('[alerts]\nwebhook_url = "http://x"\nwebhook_secret = "a secret itself"', "the name of the variable"),
        (
            '[alerts]\ndaily_at = "24:00"',
            "alerts: daily_at is '24:00'; it must be a time of day in UTC in quotes, like \"07:00\"",
        ),
        ("[alerts]\ndaily_at = 7", "daily_at is 7"),
        ("alerts = 7", "alerts is 7; it must be a table"),
    ],
)
def test_what_the_table_cannot_say_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(PolicyFileError) as refused:
        settings(tmp_path, text)
    assert says in str(refused.value)


@pytest.mark.parametrize("url", ["", "pager.example", "ftp://pager.example/", "http:///path"])
def test_a_webhook_without_a_web_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="URL of a web server"):
        Webhook(url, secret="ALERT_SECRET", credentials=KEPT)
    with pytest.raises(LookupError):
        Webhook("http://pager.example/", secret="OTHER", credentials=KEPT)


async def test_the_page_of_the_day_is_the_report_of_that_name(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "calls.db")
    async with Engine(providers=[Told("a", [Transient("no\nluck")]), Told("b")], log=log, policy=BAD) as engine:
        for _ in range(3):
            await engine.call("x")
    page = await DailyPage(tmp_path / "calls.db")(0)
    assert list(page.tables) == ["providers", "failures", "failovers", "slowest", "cost"]
    assert {one["provider"] for one in page.tables["providers"]} == {"a", "b"}
    assert "What do providers fail with" in page.text
    assert "no luck" in page.text
