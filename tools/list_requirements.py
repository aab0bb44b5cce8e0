"""Print what a development environment needs, one requirement a line, as pyproject.toml states it.

pip cannot install a project's dependencies without the project itself, and the development tree is linked
in, not installed (see `link_namespace.py`). Read by the Makefile.
"""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def requirements() -> list[str]:
    """The dependencies of the package, then those of its `dev` extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["dev"]]


if __name__ == "__main__":
    print("\n".join(requirements()))
