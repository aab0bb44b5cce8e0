"""Print the table of endings that the tests run: `python tools/print_endings.py > docs/endings.md`."""

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"


def main() -> None:
    """Write the page to standard output."""
    sys.path.insert(0, str(TESTS))
    from endings_table import markdown  # noqa: PLC0415 - it lies beside the tests, which only now are on the path.

    print(markdown(), end="")


if __name__ == "__main__":
    main()
