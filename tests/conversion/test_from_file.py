"""A converter from a file: described services over HTTP, objects beside them, and everything closed in the end."""

import asyncio
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from conversion.exchanges import ETH_TO_BTC, three
from exchange_for_tests import Exchange, exchange

from understudy.adapters.archive import NightlyArchive
from understudy.adapters.conversion import MultiServiceConverter, SettingsError
from understudy.adapters.providers import GivenCredentials, HttpApi
from understudy.adapters.stores import MemoryLog, SqliteLog
from understudy.events.vocabulary import Strategy


@pytest.fixture
def services() -> Iterator[Exchange]:
    with exchange(alpha="0.0654", beta="0.0652", gamma="0.0651") as found:
        yield found


def laid_out(folder: Path, services: Exchange, entries: list[dict[str, Any]], **settings: Any) -> Path:
    (folder / "apis").mkdir(exist_ok=True)
    (folder / "apis" / "services.toml").write_text(services.descriptions)
    path = folder / "pool.json"
    path.write_text(json.dumps({"multiService": {"services": entries, **settings}}))
    return path


def api(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "api": "apis/services.toml", **more}


async def test_described_services_convert_and_are_closed_in_the_end(tmp_path: Path, services: Exchange) -> None:
    path = laid_out(tmp_path, services, [api("alpha"), api("beta", priority="SECONDARY"), api("gamma")])
    converter = MultiServiceConverter.from_file(path, log=MemoryLog(), watch=False)
    made = converter._closes
    assert [(type(one), one.id) for one in made] == [(HttpApi, name) for name in ("alpha", "beta", "gamma")]
    async with converter:
        done = await converter.convert(**ETH_TO_BTC, amount="1.5")
        assert made[0]._session is not None
    assert (done.service, done.reference, done.amount_out) == ("alpha", "alpha-1", Decimal("0.09810"))
    assert all(one._session is None for one in made)


async def test_objects_may_stand_beside_described_services(tmp_path: Path, services: Exchange) -> None:
    btcpay, simpleswap, _ = three()
    for one in (btcpay, simpleswap):
        one.latency_s = 0
    entries = [{"id": "btcpay", "weight": 0.7}, api("gamma"), {"id": "simpleswap"}]
    path = laid_out(tmp_path, services, entries, loadBalancing="best-rate", maxFailures=7, deadlineMs=9000)
    converter = MultiServiceConverter.from_file(path, log=MemoryLog(), services=[simpleswap, btcpay], watch=False)
    policy = converter.policy
    assert [one.id for one in policy.providers] == ["btcpay", "gamma", "simpleswap"]
    assert (policy.strategy, policy.max_failures, policy.deadline_ms) == (Strategy.BEST_RATE, 7, 9000)
    assert (policy.trust_ping, policy.retry_attempts) == (True, 0)
    assert policy.by_id["btcpay"].weight == Decimal("0.7")
    async with converter:
        done = await converter.convert(**ETH_TO_BTC, amount=1)
    assert (done.service, len(services.quotes)) == ("btcpay", 1)


def test_secrets_come_from_the_credentials_that_are_given(tmp_path: Path, services: Exchange) -> None:
    path = laid_out(tmp_path, services, [api("alpha")])
    described = services.descriptions.replace("key_header", 'headers = { X-Key = "{secret.POOL}" }\nkey_header')
    (tmp_path / "apis" / "services.toml").write_text(described)
    with pytest.raises(SettingsError, match="secret POOL of provider alpha is not among the credentials"):
        MultiServiceConverter.from_file(path, log=MemoryLog())
    MultiServiceConverter.from_file(path, log=MemoryLog(), credentials=GivenCredentials({"POOL": "a-key-of-ours"}))


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([{"id": "alpha"}], "service 'alpha': has no \"api\""),
        ([api("alfa")], "service 'alfa' is not described in"),
        ([{"id": "alpha", "api": "apis/none.toml"}], "none.toml: there is no such file"),
        ([], "services is lacking or empty"),
    ],
)
def test_services_that_nobody_has_are_refused(
    tmp_path: Path, services: Exchange, entries: list[dict[str, Any]], told: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        MultiServiceConverter.from_file(laid_out(tmp_path, services, entries), log=MemoryLog())
    assert told.replace("':", "'") in str(caught.value).replace("':", "'")


def test_an_object_that_no_settings_name_is_refused(tmp_path: Path, services: Exchange) -> None:
    path = laid_out(tmp_path, services, [{"id": "btcpay"}])
    with pytest.raises(SettingsError, match="service 'simpleswap' is given, and not in the settings"):
        MultiServiceConverter.from_file(path, log=MemoryLog(), services=three()[:2])


@pytest.mark.parametrize(
    ("operation", "misspelt", "told"),
    [
        ("quote", "quota", "service 'alpha' cannot quote: "),
        (
            "convert",
            "covert",
            "no operation convert of it, nor create and commit; is 'covert' meant to be it?",
        ),
    ],
)
def test_a_description_without_what_a_conversion_needs_is_refused_before_any_service_is_asked(
    tmp_path: Path, services: Exchange, operation: str, misspelt: str, told: str
) -> None:
    path = laid_out(tmp_path, services, [api("alpha")])
    described = services.descriptions.replace(f"operations.{operation}]", f"operations.{misspelt}]")
    (tmp_path / "apis" / "services.toml").write_text(described)
    with pytest.raises(SettingsError, match=re.escape(told)):
        MultiServiceConverter.from_file(path, log=MemoryLog())
    assert services.quotes == []


async def test_alerts_go_to_the_webhook_that_the_file_names_and_the_archive_has_its_hour(
    tmp_path: Path, services: Exchange
) -> None:
    heard, came = [], asyncio.Event()

    async def receive(request: web.Request) -> web.Response:
        heard.append(await request.json())
        came.set()
        return web.Response()

    app = web.Application()
    app.router.add_post("/pager", receive)
    async with TestServer(app) as server:
        told = {"webhookUrl": str(server.make_url("/pager")), "webhookSecret": "PAGER", "dailyAt": "07:00"}
        services.services["alpha"].down = True
        last = [api(name, priority="EMERGENCY") for name in ("beta", "gamma")]
        entries = [api("alpha", maxFailures=1), *last]
        path = laid_out(tmp_path, services, entries, alerts=told, archive={"olderThan": "30d", "at": "04:30"})
        log, keys = SqliteLog(tmp_path / "calls.db"), GivenCredentials({"PAGER": "secret of ours"})
        async with MultiServiceConverter.from_file(path, log=log, credentials=keys) as converter:
            assert [type(one) for one in converter.engine._chores] == [NightlyArchive]
            await converter.convert(**ETH_TO_BTC, amount="1.5")
            async with asyncio.timeout(10):
                await came.wait()
    assert (heard[0]["alert"], heard[0]["told"]) == ("emergency", "raised")


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        (
            {"alerts": {"webhookUrl": "$PAGER", "webhookSecret": "KEY"}},
            "pool.json: alerts: webhook_url: PAGER is not set: there is no such variable in the environment",
        ),
        ({"alerts": {"webhookUrl": "https://pager.example"}}, "alerts has only one of webhook_url and webhook_secret"),
        ({"alerts": {"dailyAt": "07:00"}}, "pool.json: daily_at asks for the page of the day: say in which"),
        ({"archive": {"olderThen": "30d"}}, "line 1: archive: olderThen is unknown; did you mean 'olderThan'?"),
        (
            {"archive": {"olderThan": "30x"}},
            "pool.json: line 1: archive: olderThan is '30x'; it must be a length of time",
        ),
        ({"alerts": {"webhokUrl": "x"}}, "line 1: alerts: webhokUrl is unknown; did you mean 'webhookUrl'?"),
        ({"alerts": 5}, "pool.json: line 1: alerts is 5; it must be a table"),
    ],
)
def test_what_is_wrong_with_alerts_and_archive_is_told_like_the_rest(
    tmp_path: Path, services: Exchange, tables: dict[str, Any], told: str
) -> None:
    path = laid_out(tmp_path, services, [api("alpha")], **tables)
    with pytest.raises(SettingsError, match=re.escape(told)):
        MultiServiceConverter.from_file(path, log=MemoryLog())


def test_a_converter_in_code_takes_the_table_of_alerts_like_the_other_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "secret of ours")
    table = {"webhookUrl": "https://pager.example", "webhookSecret": "KEY"}
    converter = MultiServiceConverter(three(), log=MemoryLog(), alerts=table)
    assert [one.name for one in converter.engine._alerts.channels] == ["webhook"]
    with pytest.raises(SettingsError, match="alerts: webhokUrl is unknown; did you mean 'webhookUrl'"):
        MultiServiceConverter(three(), log=MemoryLog(), alerts={"webhokUrl": "x"})
