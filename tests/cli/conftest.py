"""A log to ask about, made once: the short scenario's, 16 requests of which the first provider fails some."""

import shutil
from pathlib import Path

import pytest
from cli import eventful
from cli.command_line import SHORT, run


@pytest.fixture(autouse=True)
def _as_wide_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several workers of pytest are told by COLUMNS how wide its own terminal is; our programs would heed that."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(scope="session")
def short_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log, for those who only read."""
    folder = tmp_path_factory.mktemp("short")
    (folder / "short.toml").write_text(SHORT)
    result = run("simulate", "--scenario", folder / "short.toml", "--log", folder / "calls.db")
    assert result.exit_code == 0, result.output
    return folder / "calls.db"


@pytest.fixture
def own_log(short_log: Path, tmp_path: Path) -> Path:
    """A copy, for those who break it."""
    return Path(shutil.copy(short_log, tmp_path / "calls.db"))


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    """The short scenario's file."""
    path = tmp_path / "short.toml"
    path.write_text(SHORT)
    return path


@pytest.fixture(scope="session")
def eventful_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of `eventful.STORY`, for those who only read."""
    path = tmp_path_factory.mktemp("eventful") / "eventful.db"
    eventful.write(path)
    return path
