"""`understudy alerts` and `understudy silence`: with a running engine, and where none runs."""

import asyncio
import re
from pathlib import Path

import pytest
from cli.command_line import answered, refused, said
from event_samples import EXAMPLES
from providers_for_tests import Told

from understudy.adapters.alerts import AlertDelivery, Notice
from understudy.adapters.cli.alert_words import OF_ALERTS, alert_words
from understudy.adapters.stores import SqliteLog, SqliteReader
from understudy.engine import Engine, Policy, Strategy, Transient
from understudy.events.alerts import ALERTS
from understudy.replay.verify import verify

WHY = ("--reason", "they migrate", "--actor", "ann")


class Pager:
    name = "pager"

    def __init__(self) -> None:
        self.got: list[str] = []

    async def deliver(self, notice: Notice, /) -> None:
        self.got.append(f"{notice.told} {notice.alert} {notice.subject}")


def engine(path: Path, pager: Pager, *, failures: int = 20) -> Engine:
    policy = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0, max_failures=1_000)
    return Engine(
        providers=[Told("alpha", [Transient("down")] * failures), Told("beta")],
        log=SqliteLog(path),
        policy=policy,
        alerts=AlertDelivery(channels=[pager]),
    )


async def failing(path: Path, pager: Pager, *, and_well_again: int = 0) -> None:
    async with engine(path, pager) as running:
        for _ in range(20 + and_well_again):
            await running.call("x")


async def test_what_stands_is_listed_with_its_silence_and_what_is_over(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    await failing(path, Pager())
    found = await asyncio.to_thread(answered, "alerts", path)
    assert [(one["alert"], one["subject"], one["severity"]) for one in found["standing"]] == [
        ("success_rate", "alpha", "error"),
        ("fallback_share", "x", "warning"),
    ]
    assert (found["over"], found["silences"], found["owed"]) == ([], [], {"pager": 0})
    text = await asyncio.to_thread(said, "silence", path, "success_rate", "alpha", "--for", "2h", *WHY)
    assert text.startswith(f"{path}: success_rate alpha is silenced until ")
    text = await asyncio.to_thread(said, "alerts", path)
    assert text.startswith(f"{path}: 2 alerts stand\nerror: success_rate alpha, since ")
    assert "; silenced until " in text
    assert "alpha has succeeded in 0.00 % of its last 20 calls, less than 90 %" in text
    assert "success_rate alpha (by ann: they migrate)" in text
    async with engine(path, Pager(), failures=0) as running:
        for _ in range(400):
            await running.call("x")
    found = await asyncio.to_thread(answered, "alerts", path)
    assert found["standing"] == []
    assert {one["alert"]: bool(one["cleared_at"]) for one in found["over"]} == {
        "success_rate": True,
        "fallback_share": True,
    }
    assert "over: success_rate alpha, raised " in await asyncio.to_thread(said, "alerts", path)
    with SqliteReader.open(path) as reader:
        assert verify(reader).ok


async def test_a_silence_reaches_a_running_engine_and_can_be_lifted(tmp_path: Path) -> None:
    path, pager = tmp_path / "calls.db", Pager()
    async with engine(path, pager) as running:
        found = await asyncio.to_thread(answered, "silence", path, "success_rate", "--for", "1h", *WHY)
        assert found["done"]
        assert found["event"]["told"].startswith("ann silences success_rate until ")
        for _ in range(20):
            await running.call("x")
        assert "success_rate|alpha" in running.standing.alerts
        found = await asyncio.to_thread(answered, "silence", path, "success_rate", "--lift", *WHY)
        assert (found["done"], found["silenced_until"]) == (True, None)
        async with asyncio.timeout(20):
            while "raised success_rate alpha" not in pager.got:  # noqa: ASYNC110 - nobody is told.
                await asyncio.sleep(0.01)
    assert sorted(pager.got) == ["raised fallback_share x", "raised success_rate alpha"]


async def test_a_silence_that_cannot_be_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    await failing(path, Pager())
    said_no = [
        (("succes_rate", "--for", "1h"), "did you mean 'success_rate'"),
        (("circuit_open", "alfa", "--for", "1h"), "there is no provider 'alfa'; did you mean 'alpha'?"),
        (("low_stock", "alfa us:wa", "--for", "1h"), "there is no provider 'alfa'; did you mean 'alpha'?"),
        (("phantom_stock", "alfa|us|wa", "--for", "1h"), "there is no provider 'alfa'; did you mean 'alpha'?"),
        (("circuit_open", "nobody", "--for", "1h"), "there is no provider 'nobody'; there are alpha, beta"),
        (("low_stock", "beta us wa", "--for", "1h"), "PROVIDER COUNTRY:SERVICE, such as 'beta us:wa'"),
        (("success_rate", "beta us any", "--for", "1h"), "written as PROVIDER, such as 'beta'"),
        (("fallback_share", "xx", "--for", "1h"), "there is no operation 'xx'; did you mean 'x'?"),
        (("suspended", "nonsense", "--for", "1h"), "no request has the id or the key 'nonsense'"),
        (("suspended", "nonsense", "--lift"), "no request has the id or the key 'nonsense'"),
        (("success_rate",), "say either for how long, with --for, or --lift"),
        (("success_rate", "--for", "1h", "--lift"), "say either for how long, with --for, or --lift"),
        (("success_rate", "alpha", "--lift"), "success_rate alpha is not silenced"),
    ]
    for words, why in said_no:
        assert why in await asyncio.to_thread(refused, "silence", path, *words, *WHY)
    for words in (("low_stock", "beta us:wa"), ("circuit_open", "beta"), ("fallback_share", "x"), ("low_stock",)):
        await asyncio.to_thread(said, "silence", path, *words, "--for", "1h", *WHY)


async def test_a_request_is_silenced_by_its_whole_id_however_little_of_it_was_typed(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    async with engine(path, Pager(), failures=0) as running:
        await running.call("x", idempotency_key="order-17")
    (request,) = (await asyncio.to_thread(answered, "requests", path))["requests"]
    whole = request["request_id"]
    for typed in (whole, whole[:9], "order-17"):
        for how in (("--for", "1h"), ("--lift",)):
            text = await asyncio.to_thread(said, "silence", path, "suspended", typed, *how, *WHY)
            assert text.startswith(f"{path}: suspended {whole} is ")
    text = await asyncio.to_thread(said, "silence", path, "late_success", f"{whole[:9]} beta", "--for", "1h", *WHY)
    assert text.startswith(f"{path}: late_success {whole} beta is silenced until ")


def test_the_alerts_stand_in_the_help_and_not_in_the_line_of_usage() -> None:
    usage, _, rest = said("silence", "--help").partition("\n")
    assert usage == "Usage: understudy silence [OPTIONS] DB ALERT [SUBJECT]"
    assert set(ALERTS) <= set(re.findall(r"\w+", rest))


@pytest.mark.parametrize("kind", sorted(one.kind for one in OF_ALERTS))
def test_every_event_of_an_alert_is_told_in_words(kind: str) -> None:
    for event in EXAMPLES[kind]:
        assert alert_words(event) != kind
