"""`understudy convert` and `understudy quote`, over services on a loopback port."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from cli.command_line import answered, refused, run, said
from exchange_for_tests import Exchange, exchange
from quoters import CONVERT, Quoter

from understudy.adapters.demo.own_log import STREAM
from understudy.adapters.stores import SqliteLog
from understudy.engine import Engine

BTC = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
TO_BTC = ("ETH", "BTC", "1.5", BTC)
CONVERT_TO_BTC = ("convert", *TO_BTC)
TRON = "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8"


@pytest.fixture
def services() -> Iterator[Exchange]:
    with exchange(alpha="0.0654", beta="0.0652", gamma="0.0651") as found:
        yield found


@pytest.fixture
def folder(services: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with settings in their usual place."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "services.toml").write_text(services.descriptions)
    write_settings(tmp_path / "config" / "default.json", *services.services)
    return tmp_path


def write_settings(path: Path, *names: str, **more: object) -> None:
    entries = [{"id": name, "weight": 0.5, "api": "services.toml"} for name in names]
    text = json.dumps({"multiService": {"services": entries, **more}}, indent=2)
    path.write_text(f"// The settings of a test.\n{text}\n")


def test_the_best_quote_wins_and_the_answer_says_what_arrives(folder: Path, services: Exchange) -> None:
    result = run("convert", *TO_BTC)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[:6] == [
        "1.5 ETH converted into 0.0981 BTC:",
        "  service    alpha",
        "  rate       0.0654",
        "  fees       0 BTC",
        "  failovers  0",
        "  reference  alpha-1",
    ]
    assert result.stderr == "settings from config/default.json\n"
    (order,) = services.services["alpha"].orders.values()
    assert (order["address"], order["amount"]) == (BTC, "1.5")


def test_a_repeat_under_the_same_key_converts_nothing(folder: Path, services: Exchange) -> None:
    first = answered("convert", *TO_BTC, "--idempotency-key", "payout-17")
    again = answered("convert", *TO_BTC, "--idempotency-key", "payout-17")
    assert (first["converted"], first["joined"], again["joined"]) == (True, False, True)
    assert {name: again[name] for name in ("service", "reference", "request_id", "amount_out")} == {
        name: first[name] for name in ("service", "reference", "request_id", "amount_out")
    }
    assert len(services.services["alpha"].orders) == 1
    assert "by an earlier request under this key" in said("convert", *TO_BTC, "--idempotency-key", "payout-17")


def test_a_service_that_refuses_is_followed_by_the_next(folder: Path, services: Exchange) -> None:
    services.services["alpha"].fails = 503
    done = answered("convert", *TO_BTC, "--log", "kept.db")
    assert (done["service"], done["failovers"], done["rate"]) == ("beta", 1, "0.0652")
    assert answered("verify", "kept.db")["ok"]
    content = b"".join(path.read_bytes() for path in folder.glob("kept.db*"))
    assert content.count(BTC.encode()) == 1, "in the side table, where it can be erased"


def test_nothing_moves_where_everybody_is_down(folder: Path, services: Exchange) -> None:
    for one in services.services.values():
        one.down = True
    result = run("convert", *TO_BTC)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Not converted, and nothing has moved: " in result.stderr
    assert "understudy explain conversions.db " in result.stderr
    found = answered("convert", *TO_BTC, code=1)
    assert (found["converted"], set(found)) == (False, {"converted", "error", "message", "request_id"})


def test_what_may_have_been_executed_ends_with_an_exit_code_of_its_own(folder: Path, services: Exchange) -> None:
    (folder / "config" / "services.toml").write_text(services.descriptions_without_lookup)
    services.services["alpha"].twists = {"address": "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3"}
    result = run("convert", *TO_BTC)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "Not known yet: " in result.stderr
    assert "understudy resolve " in result.stderr
    assert "bc1q" not in result.stderr
    assert [len(one.orders) for one in services.services.values()] == [1, 0, 0], "nobody else was asked"


def test_what_an_earlier_command_left_open_is_settled_by_the_next_one_under_its_key(
    folder: Path, services: Exchange
) -> None:
    write_settings(folder / "config" / "default.json", *services.services, requestTimeout=1000, deadlineMs=300)
    alpha = services.services["alpha"]
    alpha.breaks = True
    left = answered("convert", *TO_BTC, "--idempotency-key", "payout-17", code=3)
    assert (left["converted"], len(alpha.orders)) == (None, 1)
    alpha.down = False
    done = answered("convert", *TO_BTC, "--idempotency-key", "payout-17")
    assert (done["service"], done["reference"], done["request_id"]) == ("alpha", "alpha-1", left["request_id"])
    assert (done["via"], done["joined"]) == ("lookup", True)
    assert [len(one.orders) for one in services.services.values()] == [1, 0, 0]


def test_all_quotes_are_shown_with_what_arrives_and_the_best_first(folder: Path, services: Exchange) -> None:
    services.services["gamma"].down = True
    result = run("quote", "ETH", "BTC", "1.5")
    assert result.exit_code == 0, result.output
    header, first, second, *_ = result.stdout.splitlines()
    assert header.split("  ")[0] == "service"
    assert "arrives, BTC" in header
    assert first.split() == ["alpha", "1", "eligible", "0.0654", "0.0981", "0", "0", "bp"]
    assert second.split() == ["beta", "1", "eligible", "0.0652", "0.0978", "0", "30", "bp"]
    assert result.stderr == "settings from config/default.json\n"
    assert sorted(folder.rglob("*.db")) == []
    assert [len(one.orders) for one in services.services.values()] == [0, 0, 0]


def test_quotes_as_json_have_their_figures_as_text(folder: Path) -> None:
    found = answered("quote", "eth", "btc", "1.50")
    assert (found["pair"], found["amount"]) == ("ETH/BTC", "1.5")
    alpha = next(one for one in found["offers"] if one["service"] == "alpha")
    assert (alpha["verdict"], alpha["rate"], alpha["off_best_bp"]) == ("eligible", "0.0654", 0)


def test_without_an_honest_quote_the_answer_is_no(folder: Path, services: Exchange) -> None:
    for one in services.services.values():
        one.down = True
    result = run("quote", "ETH", "BTC", "1.5")
    assert result.exit_code == 1
    assert result.stderr.endswith("nobody would convert this now: there is no quote that may be taken\n")


def test_an_amount_that_a_service_does_not_take_is_told_with_its_bound(folder: Path, services: Exchange) -> None:
    described = services.descriptions.replace('reference = "id" }', 'reference = "id", min_amount = "least?" }')
    (folder / "config" / "services.toml").write_text(described)
    services.services["alpha"].least = Decimal("0.5")
    result = run("quote", "ETH", "BTC", "0.1")
    assert "  alpha: takes 0.5 ETH at least, not 0.1\n" in result.stdout
    assert "beta:" not in result.stdout
    assert run("convert", "ETH", "BTC", "0.1", BTC).exit_code == 0
    assert "alpha was out: amount below minimum: it takes 0.5 ETH at least, not 0.1\n" in said(
        "explain", "conversions.db", "last"
    )


def test_what_the_emergency_tier_is_given_at_most_is_told_beside_the_amount(folder: Path) -> None:
    entries = [{"id": name, "priority": "EMERGENCY", "api": "services.toml"} for name in ("alpha", "beta", "gamma")]
    entries[0]["priority"] = "PRIMARY"
    settings = {"multiService": {"services": entries, "maxEmergencyAmount": {"ETH": 0.5}, "trustLoneQuote": True}}
    (folder / "config" / "default.json").write_text(json.dumps(settings))
    told = "given 0.5 ETH at most (max_emergency_amount), not 1.5"
    assert f"  beta: is {told}\n" in said("quote", "ETH", "BTC", "1.5")
    assert run("convert", *TO_BTC).exit_code == 0
    assert f"beta was out: emergency amount: it is {told}" in said("explain", "conversions.db", "last")
    decision = next(one for one in answered("explain", "conversions.db", "last")["events"] if "bounds" in one)
    assert decision["bounds"] == {"beta": f"is {told}", "gamma": f"is {told}"}


def test_quotes_as_json_stand_in_the_order_of_the_table(folder: Path, services: Exchange) -> None:
    services.services["alpha"].rate = Decimal("0.0650")
    rows = said("quote", "ETH", "BTC", "1.5").splitlines()[1:]
    found = answered("quote", "ETH", "BTC", "1.5")["offers"]
    assert [row.split()[0] for row in rows] == [one["service"] for one in found] == ["beta", "gamma", "alpha"]


def test_it_is_said_that_a_converter_is_switched_off(folder: Path, services: Exchange) -> None:
    write_settings(folder / "config" / "default.json", *services.services, enabled=False)
    result = run("quote", "ETH", "BTC", "1")
    assert result.stderr.splitlines()[1] == "multiService is not enabled there: alpha alone is asked"
    assert services.quotes == ["alpha"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("convert", "ETH", "BTC", "1.5", BTC[:-1] + "5"), "address"),
        (("convert", "ETH", "BTC", "-1.5", BTC), "an amount must be greater than 0, not '-1.5'"),
        (("convert", "ETH", "BTC", "--memo", "7", "-.5", BTC), "an amount must be greater than 0, not '-.5'"),
        (("quote", "ETH", "BTC", "-1"), "an amount must be greater than 0, not '-1'"),
        (("quote", "ETH", "BTC", "--", "-1"), "must be greater than 0, not '-1'"),
        (("convert", "ETH", "BTC", "-x", BTC), "No such option '-x'"),
        (("convert", "BTC", "USDT", "1", TRON), "this looks like a Tron address; if that is meant, add --network TRX"),
        ((*CONVERT_TO_BTC, "--idempotency-key", ""), "--idempotency-key must be 1 to 200 printable characters, not ''"),
        ((*CONVERT_TO_BTC, "--idempotency-key", "a" * 201), "--idempotency-key must be 1 to 200 printable characters"),
        (("convert", "ETH", "BTC", "1,5", BTC), "write digits with a point"),
        (("convert", "ETH", "BTC", "0", BTC), "must be greater than 0"),
        (("convert", "ETH", "BTX", "1", BTC), "coin 'BTX' is unknown"),
        (("convert", "ETH", "BTC", "1.5", BTC, "--network", "TRX"), "BTC is not paid out on TRX"),
        (("convert", "ETH", "BTC", "1.5", BTC, "--memo", "7"), "BTC has no destination tags"),
        (("convert", "ETH", "BTC", "1.5"), "Missing argument"),
        (("quote", "ETH", "ETH", "1.5"), "a conversion takes two coins"),
        (("quote", "ETH", "BTC", "1.5", "--config", "none.json"), "none.json: there is no such file"),
        (("quote", "ETH", "BTC", "1.5", "--log", "none/x.db"), "the directory none does not exist"),
    ],
)
def test_what_is_typed_wrong_ends_in_a_sentence(folder: Path, words: tuple[str, ...], told: str) -> None:
    assert told in refused(*words)
    assert sorted(folder.rglob("*.db")) == []


def test_a_log_that_a_simulation_or_a_demo_has_written_is_refused_and_left_as_it_is(
    folder: Path, services: Exchange, short_log: Path
) -> None:
    made_up = {"simulation": folder / "simulated.db", "demo": folder / "demo.db"}
    shutil.copy(short_log, made_up["simulation"])
    asyncio.run(started_and_stopped(SqliteLog(made_up["demo"], stream=STREAM)))
    for whose, path in made_up.items():
        before = path.read_bytes()
        for words in (("convert", *TO_BTC), ("quote", *TO_BTC[:3])):
            told = refused(*words, "--log", path)
            assert told.startswith(f"{path} is the log of a {whose}: what is in it is made up")
            assert told.endswith("name another file with --log, or remove this one")
        assert path.read_bytes() == before
    assert services.quotes == []


def test_a_demo_s_log_is_refused_even_if_another_engine_has_written_to_it_since(folder: Path) -> None:
    for stream in (STREAM, "main"):
        asyncio.run(started_and_stopped(SqliteLog("demo.db", stream=stream)))
    assert "demo.db is the log of a demo" in refused("convert", *TO_BTC, "--log", "demo.db")


async def started_and_stopped(log: SqliteLog) -> None:
    async with Engine(providers=[Quoter("alpha")], log=log, operations=[CONVERT]):
        pass


def test_without_settings_it_is_said_where_they_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = refused("quote", "ETH", "BTC", "1")
    assert told == "there are no settings: name their file with --config FILE, or put it at config/default.json"


def test_a_file_that_is_named_comes_before_the_one_in_the_usual_place(folder: Path, services: Exchange) -> None:
    write_settings(folder / "config" / "pool.json", "gamma", trustLoneQuote=True)
    result = run("convert", *TO_BTC, "--config", "config/pool.json", environment={"UNDERSTUDY_MAX_FAILURES": "4"})
    assert result.exit_code == 0, result.output
    assert "  service    gamma" in result.stdout
    assert result.stderr == "settings from config/pool.json, and UNDERSTUDY_MAX_FAILURES of the environment\n"


def test_services_that_nobody_describes_are_refused_all_at_once(folder: Path) -> None:
    write_settings(folder / "config" / "default.json", "alpha", "gama", "delta")
    told = refused("quote", "ETH", "BTC", "1")
    assert "service 'gama' is not described in config/services.toml; did you mean 'gamma'?" in told
    assert "service 'delta' is not described in config/services.toml" in told


def test_secrets_are_variables_of_the_environment_that_the_settings_name(folder: Path, services: Exchange) -> None:
    described = services.descriptions.replace(
        "key_header", 'headers = { Authorization = "Bearer {secret.POOL_KEY}" }\nkey_header'
    )
    (folder / "config" / "services.toml").write_text(described)
    assert "secret POOL_KEY of provider alpha is not among the credentials" in refused("quote", "ETH", "BTC", "1")
    write_settings(folder / "config" / "default.json", *services.services, secrets=["POOL_KEY"])
    told = refused("quote", "ETH", "BTC", "1")
    assert "secret POOL_KEY of provider alpha is not set: there is no such variable in the environment" in told
    assert "lists under" not in told
    assert run("quote", "ETH", "BTC", "1", environment={"POOL_KEY": "a-key-of-ours"}).exit_code == 0
