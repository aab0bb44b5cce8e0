"""Make `import understudy.…` work in this interpreter straight from the source tree.

Lays a directory link `build/ns/understudy/<layer>` for each layer of pyproject's `package-dir`, and names
`build/ns` in a `.pth` file, so that a new source file is importable at once. Beside the links stand the
version and the entry points for `importlib.metadata`, and `understudy` appears among the interpreter's
commands. Run by the Makefile with the environment's own Python; running it again is safe.
"""

import shutil
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NAMESPACE_ROOT = ROOT / "build" / "ns"

# Starts as a shell script and goes on as Python: a `#!` line could hold neither a long path nor a space.
COMMAND = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import sys

from {module} import {function}

if __name__ == "__main__":
    sys.exit({function}())
"""


def main() -> None:
    """Lay the links and tell the interpreter about them."""
    if sys.prefix == sys.base_prefix:
        sys.exit("link_namespace.py changes the interpreter that runs it: run it with .venv/bin/python")
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lay_links(pyproject["tool"]["setuptools"]["package-dir"])
    write_metadata(pyproject["project"])
    write_commands(pyproject["project"]["scripts"])
    pth = Path(sysconfig.get_path("purelib")) / "understudy_development.pth"
    pth.write_text(f"{NAMESPACE_ROOT}\n", encoding="utf-8")


def lay_links(package_dir: dict[str, str]) -> None:
    """Link each package's name to its folder, relatively, so that the tree may be moved."""
    for package, folder in package_dir.items():
        link = NAMESPACE_ROOT.joinpath(*package.split("."))
        link.parent.mkdir(parents=True, exist_ok=True)
        up_to_root = Path(*[".."] * len(link.parent.relative_to(ROOT).parts))
        if not link.is_symlink():  # A test run that is under way must not lose it for a moment.
            link.symlink_to(up_to_root / folder, target_is_directory=True)


def write_metadata(project: dict[str, Any]) -> None:
    """Write the few lines of metadata that `importlib.metadata` is asked for."""
    dist_info = NAMESPACE_ROOT / f"{project['name']}-{project['version']}.dist-info"
    for other_version in set(NAMESPACE_ROOT.glob("*.dist-info")) - {dist_info}:
        shutil.rmtree(other_version)
    dist_info.mkdir(parents=True, exist_ok=True)
    header = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (dist_info / "METADATA").write_text(header, encoding="utf-8")
    commands = "".join(f"{name} = {target}\n" for name, target in project["scripts"].items())
    (dist_info / "entry_points.txt").write_text(f"[console_scripts]\n{commands}", encoding="utf-8")


def write_commands(scripts: dict[str, str]) -> None:
    """Write an executable file for each console command."""
    for name, target in scripts.items():
        module, function = target.split(":")
        command = Path(sysconfig.get_path("scripts")) / name
        text = COMMAND.format(python=sys.executable, module=module, function=function)
        command.write_text(text, encoding="utf-8")
        command.chmod(0o755)


if __name__ == "__main__":
    main()
