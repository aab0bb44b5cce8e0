"""A word out of a few, as an option or an argument: a misspelt one is refused with the one that was meant."""

from typing import Any, Final

import click

from understudy.events.names import did_you_mean

_FEW: Final = 4


class OneOf(click.Choice[str]):
    """As Click's own, and it says first which of them is near; then all, if they are few."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word itself. Errors: BadParameter with the nearest, and all there are if none is, or they are few."""
        try:
            return str(super().convert(value, param, ctx))
        except click.BadParameter as error:
            meant = did_you_mean(str(value), [str(one) for one in self.choices])
            few = f" There are {', '.join(map(repr, self.choices))}." if len(self.choices) <= _FEW else ""
            self.fail(f"there is no {value!r}{meant}{few}" if meant else error.message, param, ctx)
