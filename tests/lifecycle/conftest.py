"""The stage of the runtime tests: engines on virtual time, whose logs are verified in the end."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from runtime.conftest import Stage

from understudy.replay.verify import verify


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    for log in made.logs:
        with log.reader() as reader:
            assert verify(reader).ok
