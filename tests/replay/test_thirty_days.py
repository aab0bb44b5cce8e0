"""A month of rentals with incidents, price lists, alerts, a drill and an archive, and what commands tell of it."""

import asyncio
import shutil
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest
from cli.command_line import answered, said
from repository import ROOT

from understudy.adapters.archive import archive
from understudy.adapters.stores import SqliteLog, SqliteReader
from understudy.engine.engine import Engine
from understudy.events.codec import decode
from understudy.events.operations import AlertCleared, AlertRaised
from understudy.replay.simulate import play, read_scenario
from understudy.replay.verify import verify
from understudy.replay.virtual_system import START_US

pytestmark = [pytest.mark.soak, pytest.mark.xdist_group("thirty_days")]

SECOND_US: Final = 1_000_000
DAY_MS: Final = 86_400_000
END_US: Final = START_US + 30 * DAY_MS * 1000
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


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("month") / "calls.db"
    play(read_scenario(ROOT / "examples" / "thirty_days.toml"), log=SqliteLog(path, salt=bytes(32)), attend=at_the_desk)
    return path
