"""Where this tree lies, and which files belong to it. Read by the tests that judge the tree itself."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"
LAYERS = ("events", "projections", "engine", "replay", "adapters")

# Without git (an unpacked archive) everything counts but what .gitignore leaves out.
_MADE = {".git", ".venv", "build", "dist", "__pycache__", ".hypothesis", "htmlcov"}


@cache
def project_files() -> tuple[Path, ...]:
    """Every file that is tracked or would be with `git add`, relative to `ROOT`, in order."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        found = [path.relative_to(ROOT) for path in ROOT.rglob("*")]
        files = [path for path in found if not _is_made(path)]
    else:
        command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
        files = [Path(name) for name in listing.decode().split("\0") if name]
    return tuple(sorted({path for path in files if (ROOT / path).is_file()}))


def layer_files() -> tuple[Path, ...]:
    """The files that the wheel must carry."""
    return tuple(path for path in project_files() if path.parts[0] in LAYERS)


def _is_made(path: Path) -> bool:
    return any(part in _MADE or part.endswith(("_cache", ".egg-info")) for part in path.parts)
