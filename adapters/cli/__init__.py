"""The command `understudy`."""

from understudy.adapters.cli.main import main

__all__ = ["main"]
