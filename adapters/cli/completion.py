"""`understudy completion`: the script that makes a shell complete our commands with the Tab key."""

import click
from click.shell_completion import get_completion_class

from understudy.adapters.cli.exits import Refused
from understudy.adapters.cli.logs import as_json
from understudy.adapters.cli.one_of import OneOf
from understudy.adapters.cli.output import answer, answer_json

_NAME = "understudy"
_VARIABLE = "_UNDERSTUDY_COMPLETE"
"""What the script sets when it asks for completions; Click listens to it."""


@click.command()
@click.argument("shell", type=OneOf(("bash", "zsh", "fish")))
@as_json
@click.pass_context
def completion(ctx: click.Context, shell: str, *, as_json: bool) -> None:
    """Print the script with which SHELL (bash, zsh or fish) completes commands, options, kinds of events, and the
    providers of a log, with the Tab key.

    Load it in the shell's start-up file, or keep it where the shell looks for such scripts.

    \b
    Example:
      eval "$(understudy completion bash)"    in ~/.bashrc
      eval "$(understudy completion zsh)"     in ~/.zshrc
      understudy completion fish > ~/.config/fish/completions/understudy.fish

    \b
    Exit codes: 0 printed; 2 wrong usage, or this version of the shell cannot do it.
    """
    found = get_completion_class(shell)
    if found is None:
        raise Refused(f"the installed version of Click has no completion for {shell}")
    script = found(ctx.find_root().command, {}, _NAME, _VARIABLE).source()
    if as_json:
        answer_json({"shell": shell, "script": script})
    else:
        answer(script)
