"""What users install is what lies in the tree, and it works where the tree is out of reach."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest
from repository import ROOT, layer_files

FACES = [
    "understudy.events",
    "understudy.projections",
    "understudy.engine",
    "understudy.replay",
    "understudy.adapters",
    "understudy.adapters.cli",
    "understudy.adapters.conversion",
    "understudy.adapters.rental",
]

# With several workers, the one that builds the wheel makes all of these tests.
pytestmark = pytest.mark.xdist_group("wheel")


@dataclass(frozen=True, kw_only=True)
class Installation:
    """An environment that holds the wheel, and can borrow the wheel's dependencies but not the source."""

    folder: Path

    @property
    def commands(self) -> Path:
        return self.folder / ("Scripts" if os.name == "nt" else "bin")

    def run(self, *command: str | Path) -> str:
        """What a command printed, run from within the environment's own folder."""
        environment = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def python(self, code: str) -> str:
        return self.run(self.commands / "python", "-c", code).strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: a build leaves files behind, and finds those of the last one."""
    copy = tmp_path_factory.mktemp("source")
    about = [Path(name) for name in ("pyproject.toml", "LICENSE", "README.md") if (ROOT / name).is_file()]
    for path in [*layer_files(), *about]:
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, copy / path)
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(copy)]
    built = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (found,) = target.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installation(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The wheel in an environment of its own."""
    folder = tmp_path_factory.mktemp("environment").resolve()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    installed = Installation(folder=folder)
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--python",
        installed.commands / "python",
    ]
    installed.run(*pip, "install", "--quiet", "--no-index", "--no-deps", wheel)
    # A folder named in a `.pth` file is searched, but the `.pth` files in it are not read: the dependencies
    # come with it, the links to the source do not.
    site = Path(installed.python("import sysconfig; print(sysconfig.get_path('purelib'))"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return installed


def test_the_wheel_holds_the_files_of_the_layers_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {PurePosixPath(name) for name in archive.namelist()}
    code = {path for path in packed if not path.parts[0].endswith(".dist-info")}
    assert code == {PurePosixPath("understudy", path.as_posix()) for path in layer_files()}


@pytest.mark.parametrize("face", FACES)
def test_a_face_is_imported_from_the_wheel_with_the_source_out_of_reach(face: str, installation: Installation) -> None:
    where = installation.python(f"import {face}; print({face}.__file__)")
    assert installation.folder in Path(where).parents


@pytest.mark.parametrize("folder", ["events", "projections", "engine", "replay", "adapters"])
def test_no_folder_of_ours_becomes_a_top_level_module(folder: str, installation: Installation) -> None:
    found = installation.python(f"import importlib.util; print(importlib.util.find_spec({folder!r}))")
    assert found == "None"


def test_the_development_tree_reports_the_version_that_is_installed(installation: Installation) -> None:
    ask = "import importlib.metadata; print(importlib.metadata.version('understudy'))"
    here = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout
    assert here.strip() == installation.python(ask)


def test_the_console_command_explains_itself(installation: Installation) -> None:
    assert "Usage: understudy" in installation.run(installation.commands / "understudy", "--help")
