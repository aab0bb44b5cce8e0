"""A month of rentals with incidents, price lists, alerts, a drill and an archive, and what commands tell of it."""

import asyncio
import shutil
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from cli.command_line import answered, said
from repository import ROOT

from understudy.adapters.archive import archive
from understudy.adapters.stores import MemoryLog, SqliteLog, SqliteReader
from understudy.engine.engine import Engine
from understudy.events.codec import decode
from understudy.events.operations import AlertCleared, AlertRaised
from understudy.replay.scenario import Arrivals, Scenario, read_scenario
from understudy.replay.simulate import play
from understudy.replay.verify import verify
from understudy.replay.virtual_system import START_US, VirtualSystem
from understudy.replay.virtual_time import run_virtual

pytestmark = [pytest.mark.soak, pytest.mark.xdist_group("thirty_days")]

SECOND_US: Final = 1_000_000
DAY_MS: Final = 86_400_000
END_US: Final = START_US + 30 * DAY_MS * 1000
WRONG_KEY_S: Final = 2_186_000
KEY_RENEWED_S: Final = 2_187_200
DRILL_S: Final = 2_400_000
DRILLED_MS: Final = 1_800_000


def at_the_desk(engine: Engine) -> None:
    """What the operator does: renews a key, and holds the monthly drill."""
    by: dict[str, Any] = {"actor": "ann"}
    loop = asyncio.get_running_loop()
    loop.call_at(KEY_RENEWED_S, lambda: engine.clear_override("sms-activate", reason="the key is renewed", **by))
    drill = {"for_ms": DRILLED_MS, "reason": "monthly drill", **by}
    loop.call_at(DRILL_S, lambda: engine.drill("outage", "sms-activate", **drill))


def scenario() -> Scenario:
    """The example with a third of its traffic: a request every three minutes."""
    example = read_scenario(ROOT / "examples" / "thirty_days.toml")
    return example.model_copy(update={"arrivals": Arrivals(per_second=Decimal(1) / 180, pattern="random")})


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log in a file, on which an engine has been started once more; beside it how it was on day 26."""
    path = tmp_path_factory.mktemp("month") / "calls.db"
    memory = MemoryLog(salt=bytes(32))
    played = play(scenario(), log=memory, attend=at_the_desk)
    asyncio.run(copied(memory, path.with_name("day26.db"), until_us=START_US + WRONG_KEY_S * SECOND_US))
    asyncio.run(copied(memory, path))
    run_virtual(started(path, list(played.providers.values())))
    return path


async def copied(memory: MemoryLog, path: Path, *, until_us: int = END_US) -> None:
    """A simulation in a file looks a million times into an inbox that nobody can write to; one in memory does not."""
    log = SqliteLog(path, salt=bytes(32))
    await log.open("simulation")
    with memory.reader() as reader:
        for row in reader.rows():
            if row.at_us > until_us:
                break
            log.append(decode(row), at_us=row.at_us)
            if row.seq % 2_000 == 0:
                await log.durable(row.seq)
    await log.close()


async def started(path: Path, providers: list[Any]) -> None:
    system = VirtualSystem(seed=2, start_us=END_US)
    async with Engine(providers=providers, log=SqliteLog(path), policy=scenario().policy, system=system):
        await asyncio.sleep(0)


def since(day: int) -> str:
    return f"2026-01-{day:02}T00:00:00Z"


def day_of(at_us: int) -> int:
    return (at_us - START_US) // (DAY_MS * 1000) + 1


def alerts_of(path: Path) -> list[tuple[int, str, str, str]]:
    with SqliteReader.open(path) as reader:
        events = [(row.at_us, decode(row)) for row in reader.rows() if row.kind.startswith("alert_")]
    return [
        (day_of(at_us), "raised" if isinstance(one, AlertRaised) else "cleared", one.alert, one.subject)
        for at_us, one in events
        if isinstance(one, AlertRaised | AlertCleared)
    ]


def test_the_alerts_tell_the_incidents_on_their_days_and_none_stands_in_the_end(month: Path) -> None:
    told_of = alerts_of(month)
    raised = [(day, alert, subject) for day, what, alert, subject in told_of if what == "raised"]
    assert raised == [
        (3, "circuit_open", "sms-activate"),
        (8, "phantom_stock", "sms-activate|us|wa"),
        (14, "local_fault", ""),
        (20, "long_throttle", "sms-activate"),
        (20, "long_throttle", "sms-activate"),
        (23, "circuit_open", "sms-activate"),
        (26, "misconfigured", "sms-activate"),
    ]
    assert Counter(one[2:] for one in told_of if one[1] == "cleared") == Counter(one[1:] for one in raised)
    assert answered("alerts", month)["standing"] == []


def test_reports_tell_who_failed_with_what_and_what_it_cost(month: Path) -> None:
    failures = {
        (one["provider"], one["error_message"], one["request_type"]): one["occurrences"]
        for one in rows(month, "failures")
    }
    assert failures["numberhall", "numberhall refuses the connection", "sync"] > 200  # Asked for a whole day long.
    assert {one for one, message, _ in failures if message == "none left"} == {"sms-activate"}
    assert {one for one, message, _ in failures if message == "the network is down"} == {
        "sms-activate", "numberhall", "simdesk",
    }  # fmt: skip
    failovers = {(one["from_provider"], one["reason"]) for one in rows(month, "failovers")}
    assert {("sms-activate", one) for one in ("rate_limited", "out_of_stock", "timed_out", "transient")} <= failovers
    for one in rows(month, "cost"):
        price = {"sms-activate": "0.20", "numberhall": "0.24", "simdesk": "0.31"}[one["provider"]]
        assert Decimal(str(one["cost"])) == one["successes"] * Decimal(price)
    weeks = {(one["provider"], one["week_from"]): one["success_rate"] for one in rows(month, "weekly")}
    assert len({week for _, week in weeks}) == 5
    assert weeks["simdesk", "2026-01-12"] == 0  # It was asked on the day of the local fault alone.
    assert min(rate for (provider, _), rate in weeks.items() if provider == "sms-activate") > 97


def rows(path: Path, report: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answered("report", report, path, "--since", since(1))[report]
    return found


def test_the_drill_is_told_and_left_out_of_the_failures(month: Path) -> None:
    answer = answered("drill", "report", month)
    assert (answer["drill"]["form"], answer["drill"]["cause"], answer["drill"]["actor"]) == ("outage", "over", "ann")
    (drill,) = answer["reports"]
    assert (drill["provider"], drill["requests_lost"], drill["alerts"]) == ("sms-activate", 0, [])
    assert drill["calls_failed"] > 0
    assert not any(str(one["error_message"]).startswith("drill") for one in rows(month, "failures"))


def test_doctor_finds_the_wrong_key_on_its_day_and_nothing_in_the_end(month: Path) -> None:
    day26 = answered("doctor", month.with_name("day26.db"))
    found = {one["check"]: one for one in day26["checks"] if one["verdict"] != "fine"}
    assert "sms-activate has not accepted our key or account since 2026-01-26" in found["unavailable/keys"]["says"]
    assert "override" in found["unavailable/keys"]["do"]
    end = answered("doctor", month)
    assert {one["check"] for one in end["checks"] if one["verdict"] != "fine"} <= {"sqlite"}


def test_archived_after_ten_days_the_month_tells_the_same(month: Path, tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    shutil.copy(month, path)
    with SqliteReader.open(path) as reader:
        before = verify(reader)
    reports = {name: rows(path, name) for name in ("failures", "failovers", "cost", "weekly")}
    done = archive(path, older_than_ms=10 * DAY_MS, now_us=END_US)
    assert done.removed > 40_000
    with SqliteReader.open(path) as reader:
        after = verify(reader)
    assert after.ok
    assert after.identical == before.identical > 14_000
    assert {name: rows(path, name) for name in reports} == reports
    assert said("explain", path, "last-failover").startswith("Request")
