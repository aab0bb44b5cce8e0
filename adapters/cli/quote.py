"""`understudy quote`: what every service would give now, and what a conversion would make of that."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click

from understudy.adapters.cli.conversion_words import UNKNOWN, OfAnAmount, config_option, exact, opened, wanted_arguments
from understudy.adapters.cli.exits import FINE, NOT_AS_IT_SHOULD_BE
from understudy.adapters.cli.logs import as_json
from understudy.adapters.cli.output import answer_json, answer_wrapped, note, plain, table
from understudy.adapters.conversion.conversion import Offer
from understudy.adapters.conversion.converter import MultiServiceConverter
from understudy.adapters.conversion.wish import Wish, inquiry
from understudy.engine.eligibility import ELIGIBLE


@click.command(cls=OfAnAmount)
@wanted_arguments
@config_option
@click.option(
    "--log",
    "log_file",
    type=click.Path(path_type=Path),
    metavar="DB",
    help="A log whose history is judged by, and added to. By default nothing is kept.",
)
@as_json
@click.pass_context
def quote(
    ctx: click.Context,
    /,
    *,
    from_coin: str,
    to_coin: str,
    amount: str,
    config: Path | None,
    log_file: Path | None,
    as_json: bool,
) -> None:
    """Ask every service what AMOUNT of the coin FROM would fetch in the coin TO. Nothing is converted.

    All quotes are shown, the excluded ones with the reason. What arrives is net of all fees.

    \b
    Example:
      understudy quote ETH BTC 1.5
      understudy quote ETH BTC 1.5 --config pool.json --json

    \b
    Exit codes: 0 somebody may convert; 1 nobody may: no quote may be taken;
                2 wrong usage, or settings or a log that cannot be used.
    """
    asked = inquiry(from_coin=from_coin, to_coin=to_coin, amount=amount)
    converter = opened(config, log_file)
    found = _ranked(asyncio.run(_offers(converter, asked)))
    if as_json:
        answer_json({"pair": asked.pair, "amount": exact(asked.amount), "offers": [one.to_json() for one in found]})
    else:
        _print(found, asked)
    ctx.exit(FINE if any(one.verdict == ELIGIBLE for one in found) else NOT_AS_IT_SHOULD_BE)


async def _offers(converter: MultiServiceConverter, asked: Wish) -> tuple[Offer, ...]:
    async with converter:
        return await converter.quote(asked.from_coin, asked.to_coin, asked.amount)


def _ranked(found: Sequence[Offer]) -> list[Offer]:
    """Tier by tier the best first, then those that nobody would take."""
    return sorted(found, key=lambda one: (one.tier, one.verdict != ELIGIBLE, -(one.amount_out or 0)))


def _print(found: Sequence[Offer], asked: Wish) -> None:
    header = ("service", "tier", "verdict", "rate", f"arrives, {asked.to_coin}", f"fees, {asked.to_coin}", "off best")
    rows = [
        (
            one.service,
            str(one.tier),
            one.verdict,
            exact(one.rate),
            exact(one.amount_out),
            exact(one.fees),
            UNKNOWN if one.off_best_bp is None else f"{one.off_best_bp:,} bp",
        )
        for one in found
    ]
    table(header, rows, numbers=header[3:])
    for one in found:
        if one.message:
            answer_wrapped(f"  {one.service}: {plain(one.message)}")
    if not any(one.verdict == ELIGIBLE for one in found):
        note("nobody would convert this now: there is no quote that may be taken")
