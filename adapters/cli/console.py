"""Where the command `understudy` begins: Ctrl-C ends it with one line, also while everything else is being imported.

So this file imports next to nothing before it listens, and neither do the packages that it stands in.
"""

import os
import sys


def main() -> None:
    """Run the command that the words of this process ask for, and end the process with its exit code.

    Until a subcommand is there, and once it is done, there is nothing to tidy up: Ctrl-C ends the process on the spot,
    whatever it is importing. What a subcommand does about it is in `main`.
    """
    try:
        from understudy.adapters.cli import interrupts  # noqa: PLC0415 - See above.

        interrupts.end_at_once()
        from understudy.adapters.cli.main import main as understudy  # noqa: PLC0415 - See above.

        try:
            understudy()
        finally:
            interrupts.end_at_once()
    except KeyboardInterrupt:
        # Between two of the lines above.
        sys.stderr.write(os.linesep + "stopped" + os.linesep)
        sys.exit(130)
