"""An engine has its log archived at its time, if that is configured; what goes wrong there never stops it."""

import asyncio
import logging
from pathlib import Path

import pytest
from archive.stretches import Original, in_the_database
from providers_for_tests import Told

from understudy.adapters.archive import ArchiveSettings, NightlyArchive
from understudy.adapters.config import load_policy
from understudy.adapters.config_faults import PolicyFileError
from understudy.adapters.stores import MemoryLog, SqliteLog
from understudy.engine import Engine
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


async def test_an_engine_with_trouble_ahead_says_so_and_serves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    chores = [NightlyArchive(ArchiveSettings(older_than_ms=1, to=in_the_way / "archive"))]
    for log in (SqliteLog(tmp_path / "calls.db"), MemoryLog()):
        async with Engine(providers=[Told("alpha")], log=log, chores=chores) as engine:
            assert (await engine.call("rent")).provider == "alpha"
            await asyncio.sleep(0)
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    assert "no file can be put in" in caplog.messages[0]
    assert caplog.messages[1] == "nothing will be archived: the log is in memory"


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
async def test_a_failure_is_told_and_no_more(old_log: Path, caplog: pytest.LogCaptureFixture) -> None:
    await NightlyArchive(ArchiveSettings(older_than_ms=1)).archive_once(old_log.with_name("nothing.db"))
    assert "it is tried again tomorrow" in caplog.messages[-1]
    assert "there is no file" in caplog.messages[-1]
