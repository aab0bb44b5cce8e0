"""How a command ends, for scripts: its exit code. Each command's `--help` says which it has, and when."""

from typing import Final

import click

from understudy.adapters.cli import interrupts

FINE: Final = 0
NOT_AS_IT_SHOULD_BE: Final = 1
"""The command did its work, and the answer is no: a log that is broken, a policy that is wrong."""
REFUSED: Final = 2
"""The command could not do its work: wrong usage, no such file, not a log. Click ends wrong usage so, too."""
WAITS: Final = 3
"""The end is not known yet: the command waits in the inbox, or a conversion may have been executed, and is held."""
BUG: Final = 70
"""We are at fault; what went wrong is on standard error."""
INTERRUPTED: Final = interrupts.INTERRUPTED
"""By Ctrl-C."""
READER_GONE: Final = 141
"""Nobody reads the answer any more (`| head -1`): 128 and the number of SIGPIPE, as of other tools."""


class Refused(click.ClickException):
    """The command cannot do its work; the message is a sentence that says why and what would help."""

    exit_code = REFUSED


class Unanswered(click.ClickException):
    """What was wanted waits in the inbox; the message is a sentence that says for whom."""

    exit_code = WAITS
