"""What a simulation of conversions came to, in words: who served, what was refused, and each step of the way."""

from understudy.adapters.cli.output import answer, facts, plain, table
from understudy.replay.conversions import ConversionFigures


def tell_conversions(figures: ConversionFigures) -> None:
    """Print what became of the conversions, and the steps in the order of time."""
    refusals = ", ".join(f"{reason} {count:,}" for reason, count in figures.refusals.items())
    services = ", ".join(f"{service} {count:,}" for service, count in figures.by_service.items())
    settled = f", {figures.settled:,} settled before the end" if figures.suspended else ""
    facts(
        [
            ("served", _of_all(figures.served, figures.shares["served"])),
            ("refused", _of_all(figures.refused, figures.shares["refused"]) + (f": {refusals}" if refusals else "")),
            ("suspended", _of_all(figures.suspended, figures.shares["suspended"]) + settled),
            ("executed twice", f"{figures.executed_twice:,}, so say the services' own books"),
            ("by service", services or "nobody"),
        ]
    )
    if figures.steps:
        answer()
        rows = [(f"{one.at_s:,.1f} s", one.step, plain(one.subject), plain(one.told)) for one in figures.steps]
        table(("at", "step", "about", "what"), rows, numbers=("at",))


def _of_all(count: int, share: float) -> str:
    return f"{count:,} ({share * 100:.2f} %)"
