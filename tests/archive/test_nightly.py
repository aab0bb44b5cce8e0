"""An engine has its log archived at its time, if that is configured; what goes wrong there never stops it."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from archive.stretches import Original, in_the_database
from conversions_for_tests import events
from providers_for_tests import Told

from understudy.adapters.archive import ArchiveSettings, ArchiveUnusable, NightlyArchive
from understudy.adapters.archive.place import try_out
from understudy.adapters.config import load_policy
from understudy.adapters.config_faults import PolicyFileError
from understudy.adapters.stores import MemoryLog, SqliteLog
from understudy.engine import Engine
from understudy.events.operations import AlertCleared, AlertRaised
from understudy.replay.verify import verify
from understudy.replay.virtual_system import START_US

pytestmark = pytest.mark.xdist_group("archive")

HOUR_US = 3_600_000_000


def written(folder: Path, text: str) -> Path:
    path = folder / "shop.toml"
    path.write_text(text)
    return path


def test_nothing_is_archived_unless_the_settings_say_so(tmp_path: Path) -> None:
    assert load_policy(written(tmp_path, "window = 50")).chores == ()


def test_the_settings_say_what_is_old_when_and_where_to(tmp_path: Path) -> None:
    path = written(tmp_path, '[archive]\nolder_than = "7d"\nat = "4:30"\nto = "/srv/old"\n')
    loaded = load_policy(path)
    assert loaded.archive == ArchiveSettings(older_than_ms=7 * 86_400_000, at_minute=270, to=Path("/srv/old"))
    (chore,) = loaded.chores
    assert isinstance(chore, NightlyArchive)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ('archive = "30d"', "archive is '30d'; it must be a table of settings"),
        ("[archive]", "archive: older_than is missing; it must be a length of time like 30d or 12h"),
        ('[archive]\nolder_than = "0d"', "archive: older_than is '0d'; it must be"),
        ('[archive]\nolder_than = "30d"\nat = "24:00"', "archive: at is '24:00'; it must be a time of day"),
        ('[archive]\nolder_than = "30d"\nto = 7', "archive: to is 7; it must be a directory"),
        ('[archive]\nolder_then = "30d"', "archive: older_then is unknown; did you mean 'older_than'?"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(tmp_path: Path, table: str, told: str) -> None:
    with pytest.raises(PolicyFileError) as refused:
        load_policy(written(tmp_path, table))
    assert told in str(refused.value)


def test_its_time_comes_once_a_day() -> None:
    settings = ArchiveSettings(older_than_ms=1, at_minute=180)
    first = settings.next_us(START_US)
    assert first == START_US + 3 * HOUR_US
    assert settings.next_us(first) == first + 24 * HOUR_US
    assert settings.next_us(first - 1) == first


async def told_at_the_start(log: SqliteLog | MemoryLog, *, to: Path) -> str:
    """What an engine says of its archive, which can go nowhere, while it serves."""
    chores = [NightlyArchive(ArchiveSettings(older_than_ms=1, to=to))]
    async with Engine(providers=[Told("alpha")], log=log, chores=chores) as engine, asyncio.timeout(20):
        assert (await engine.call("rent")).provider == "alpha"
        while not engine.standing.alerts:  # noqa: ASYNC110 - Nobody is told.
            await asyncio.sleep(0)
        assert list(engine.standing.alerts) == ["chore_failed|archive"]
    (raised,) = events(log, AlertRaised)
    return str(raised.message)


@pytest.mark.parametrize(
    ("to", "because"),
    [
        ("file/archive", "file is a file, and no directory; name another directory"),
        ("file", "file is a file, and no directory; name another directory"),
        ("/proc/nope", "nothing can be made in /proc: No such file or directory; name another directory"),
    ],
)
async def test_an_engine_with_trouble_ahead_raises_an_alert_and_serves(tmp_path: Path, to: str, because: str) -> None:
    (tmp_path / "file").touch()
    told = await told_at_the_start(SqliteLog(tmp_path / "calls.db"), to=tmp_path / to)
    assert f"will not be archived at its time: no file can be put in {tmp_path / to}" in told
    assert because in told
    assert "write access" not in told


async def test_of_a_log_in_memory_nothing_is_archived(tmp_path: Path) -> None:
    told = await told_at_the_start(MemoryLog(), to=tmp_path)
    assert told == "nothing will be archived: the log is in memory"


def test_a_name_that_no_directory_can_have_is_found(tmp_path: Path) -> None:
    with pytest.raises(ArchiveUnusable, match="File name too long; name another directory"):
        try_out(tmp_path / ("long" * 99))


@pytest.mark.parametrize("to", [".", "archive", "deep/archive"])
def test_seeing_whether_a_file_can_be_put_somewhere_leaves_nothing_there(tmp_path: Path, to: str) -> None:
    try_out(tmp_path / to)
    assert list(tmp_path.iterdir()) == []


class Chore:
    """Says what a test tells it to."""

    name = "archive"

    def __init__(self, *says: str | None) -> None:
        self.says = says

    async def run(self, _log: object, _system: object, report: Callable[[str | None], None]) -> None:
        for one in self.says:
            report(one)
            await asyncio.sleep(0)


class Broken(Chore):
    """Has a bug."""

    async def run(self, _log: object, _system: object, _report: object) -> None:
        raise LookupError("a secret")


async def test_a_chore_with_a_bug_raises_the_alert_and_ends_no_engine(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = SqliteLog(tmp_path / "calls.db")
    assert await alerts_by([Broken()], log) == ["chore_failed|archive"]
    (raised,) = events(log, AlertRaised)
    assert raised.message == "LookupError from the chore itself; it is done no more until the next start"
    assert any(record.exc_info for record in caplog.records), "for whoever has to mend it"
    assert await alerts_by([Chore()], log) == [], "it is done again, and need not say so"
    assert [one.message for one in events(log, AlertCleared)] == ["it is begun again"]


async def alerts_by(chores: list[Chore], log: SqliteLog) -> list[str]:
    async with Engine(providers=[Told("alpha")], log=log, chores=chores) as engine:
        for _ in range(5):
            await asyncio.sleep(0)
        return list(engine.standing.alerts)


async def test_the_alert_stands_until_it_is_done_again_or_wanted_no_more(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "calls.db")
    fails = [Chore("no room", "no room", None, "no room")]
    assert await alerts_by(fails, log) == ["chore_failed|archive"]
    assert await alerts_by([Chore()], log) == ["chore_failed|archive"]
    assert [one.message for one in events(log, AlertRaised)] == ["no room", "no room"]
    assert [one.message for one in events(log, AlertCleared)] == ["nothing is wrong with it any more"]
    assert await alerts_by([], log) == []
    assert [one.message for one in events(log, AlertCleared)][1:] == ["nobody wants it done any more"]
    with log.reader() as reader:
        assert verify(reader).ok


async def test_an_archive_against_which_nothing_is_known_at_the_start_is_well_again(tmp_path: Path) -> None:
    log, to = SqliteLog(tmp_path / "calls.db"), tmp_path / "archive"
    to.touch()
    await told_at_the_start(log, to=to)
    to.unlink()
    chores = [NightlyArchive(ArchiveSettings(older_than_ms=1, to=to))]
    async with Engine(providers=[Told("alpha")], log=log, chores=chores) as engine, asyncio.timeout(20):
        while engine.standing.alerts:  # noqa: ASYNC110 - Nobody is told.
            await asyncio.sleep(0)
    assert [one.message for one in events(log, AlertCleared)] == ["nothing is wrong with it any more"]


def test_two_chores_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two chores are called 'archive'; each needs a name of its own"):
        Engine(providers=[Told("alpha")], log=MemoryLog(), chores=[Chore(), Chore()])


async def test_it_is_done_by_a_process_of_its_own_which_may_be_cut_short(
    old_log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="understudy.archive")
    original = Original(old_log)
    chore = NightlyArchive(ArchiveSettings(older_than_ms=1))
    cut_short = asyncio.create_task(chore.archive_once(old_log))
    await asyncio.sleep(0.05)
    cut_short.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cut_short
    await chore.archive_once(old_log)
    assert "events of" in caplog.messages[-1]
    assert len(in_the_database(old_log)) < len(original.rows)
    original.assert_kept(old_log)


@pytest.mark.soak
async def test_a_failure_is_told_and_no_more(old_log: Path) -> None:
    told = await NightlyArchive(ArchiveSettings(older_than_ms=1)).archive_once(old_log.with_name("nothing.db"))
    assert told is not None
    assert "it is tried again tomorrow" in told
    assert "there is no file" in told
