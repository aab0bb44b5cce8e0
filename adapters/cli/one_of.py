"""A word out of a few, as an option or an argument: a misspelt one is refused with the one that was meant."""

from typing import Any

import click

from understudy.events.names import did_you_mean


class OneOf(click.Choice[str]):
    """As Click's own, and it says which of them is near."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word itself. Errors: BadParameter with all there are, and the nearest."""
        try:
            return str(super().convert(value, param, ctx))
        except click.BadParameter as error:
            meant = did_you_mean(str(value), [str(one) for one in self.choices])
            self.fail(f"{error.message.rstrip('.')}{meant}" if meant else error.message, param, ctx)
