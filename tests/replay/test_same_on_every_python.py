"""The same seed gives the same log on every Python that is installed, to the byte."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest
from repository import ROOT

from understudy.replay.simulate import bundled_scenarios

VERSIONS = ("3.11", "3.12", "3.13")
SCENARIOS = ("ambiguous-once", "lost-half-open-probe", "phantom-stock", "rate-anomaly")
NEEDED = ("aiosqlite", "blinker", "pydantic")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
CONSTRAINTS = ROOT / "constraints.txt"
CACHE = ROOT / "build" / "pythons"

pytestmark = [pytest.mark.cross_version, pytest.mark.long, pytest.mark.xdist_group("cross_version")]


def unavailable(reason: str) -> NoReturn:
    """Skip, but where all versions must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def installed(version: str) -> str | None:
    """A Python of that version: on the path, or kept by pyenv."""
    kept = sorted(str(path) for path in Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    on_path = shutil.which(f"python{version}")
    for candidate in [*reversed(kept), *([on_path] if on_path else [])]:
        asked = [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        told = subprocess.run(asked, capture_output=True, text=True, check=False)
        if told.stdout.strip() == version:
            return candidate
    return None


def prepared(version: str, python: str) -> Path:
    """That Python with what the simulation needs, made once and kept under build/."""
    state = hashlib.sha256(CONSTRAINTS.read_bytes() + " ".join(NEEDED).encode()).hexdigest()[:12]
    home = CACHE / f"{version}-{state}"
    ready = home / "ready"
    if not ready.exists():
        shutil.rmtree(home, ignore_errors=True)
        own = home / "bin" / "python"
        for command in (
            [python, "-m", "venv", "--without-pip", str(home)],
            [*PIP, "--python", str(own), "install", "-q", "--no-compile", "-c", str(CONSTRAINTS), *NEEDED],
        ):
            made = subprocess.run(command, capture_output=True, text=True, check=False)
            if made.returncode:
                unavailable(f"no environment for Python {version} could be made: {made.stderr[-500:]}")
        ready.touch()
    return home / "bin" / "python"


@cache
def exported(python: str, seed: int, scenarios: Sequence[str]) -> str:
    """The export as that Python makes it."""
    script = Path(__file__).with_name("canonical_export.py")
    environment = {"PYTHONPATH": str(ROOT / "build" / "ns"), "PATH": os.defpath}
    made = subprocess.run(
        [python, str(script), str(seed), *scenarios], env=environment, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    return made.stdout


@pytest.mark.parametrize("scenarios", [SCENARIOS, pytest.param(bundled_scenarios(), marks=pytest.mark.soak)], ids=len)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_simulation_writes_the_same_log_on_every_python(version: str, scenarios: Sequence[str]) -> None:
    ours = exported(sys.executable, 1, scenarios)
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        assert (
            exported.__wrapped__(sys.executable, 1, scenarios) == ours
        )  # Another process hashes its strings otherwise.
        return
    python = installed(version)
    if python is None:
        unavailable(f"Python {version} is not installed")
    assert exported(str(prepared(version, python)), 1, scenarios) == ours


def test_another_seed_writes_another_log() -> None:
    other = exported(sys.executable, 2, SCENARIOS[:1]).splitlines()
    assert other != exported(sys.executable, 1, SCENARIOS).splitlines()[: len(other)]
