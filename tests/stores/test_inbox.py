"""What others leave for the engine: it waits, is taken, or is taken back."""

from pathlib import Path

import pytest
from stores.samples import NOON, alert

from understudy.adapters.stores import SqliteLog, put_command
from understudy.adapters.stores.inbox import command_waits, withdraw_command
from understudy.events.errors import NotALog
from understudy.events.log import TakeCommand


async def test_a_command_waits_until_the_event_that_it_became_is_durable(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "calls.db")
    await log.open("tester")
    first, second = put_command(log.path, "{}"), put_command(log.path, "{}")
    assert command_waits(log.path, first)
    log.append(alert(), at_us=NOON, side=[TakeCommand(command_id=first)])
    await log.durable(1)
    assert (command_waits(log.path, first), command_waits(log.path, second)) == (False, True)
    await log.close()


async def test_a_command_can_be_taken_back_once_and_only_while_it_waits(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "calls.db")
    await log.open("tester")
    taken, wanted = put_command(log.path, "{}"), put_command(log.path, "{}")
    assert withdraw_command(log.path, taken)
    assert not withdraw_command(log.path, taken)
    assert [one.command_id for one in await log.commands()] == [wanted]
    await log.close()


def test_a_file_that_is_no_log_has_no_inbox(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for ask in (command_waits, withdraw_command):
        with pytest.raises(NotALog, match="is empty"):
            ask(tmp_path / "empty", 1)
        with pytest.raises(NotALog, match="there is no file"):
            ask(tmp_path / "none", 1)
