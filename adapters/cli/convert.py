"""`understudy convert`: convert an amount of one coin into another, through the best of several services."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from understudy.adapters.cli.conversion_words import (
    OfAnAmount,
    config_option,
    exact,
    opened,
    said_of_options,
    wanted_arguments,
)
from understudy.adapters.cli.exits import FINE, NOT_AS_IT_SHOULD_BE, WAITS
from understudy.adapters.cli.interrupts import raise_again, raise_between_steps
from understudy.adapters.cli.logs import as_json
from understudy.adapters.cli.output import answer, answer_json, facts, note
from understudy.adapters.conversion.conversion import Conversion
from understudy.adapters.conversion.converter import MultiServiceConverter
from understudy.adapters.conversion.notices import Notice
from understudy.adapters.conversion.wish import wish
from understudy.engine.arguments import check_name
from understudy.engine.errors import OutcomeUnknown, RequestError


@click.command(cls=OfAnAmount)
@wanted_arguments
@click.argument("address")
@click.option("--network", metavar="NAME", help="The chain that the address is on, where the coin has several.")
@click.option("--memo", metavar="TAG", help="The tag of the address, where it has one (XRP).")
@config_option
@click.option(
    "--log",
    "log_file",
    type=click.Path(path_type=Path),
    default=Path("conversions.db"),
    show_default=True,
    metavar="DB",
    help="The log, which is made if it is not there.",
)
@click.option("--idempotency-key", metavar="KEY", help="A repeat under the same key joins the first one.")
@as_json
@click.pass_context
def convert(
    ctx: click.Context,
    /,
    *,
    config: Path | None,
    log_file: Path,
    idempotency_key: str | None,
    as_json: bool,
    **wanted: str | None,
) -> None:
    """Convert AMOUNT of the coin FROM into the coin TO, which is sent to ADDRESS.

    The services are asked for quotes, the best honest one wins, and the conversion is begun there only once that is on
    record. If it fails before anything has moved, the next service is asked; if it may have been executed, nobody is,
    until that is known.

    \b
    Example:
      understudy convert ETH BTC 1.5 bc1qxy2kgdygjrsqtzq2n0yrf2493p83kkfjhx0wlh
      understudy convert ETH XRP 2 rEb8TK3gBgk5auZkwc6sHnwrGVJH8DuaLh --memo 77 \\
          --config pool.json --idempotency-key payout-17 --json

    \b
    Exit codes: 0 converted; 1 not converted, and surely nothing has moved;
                2 wrong usage, or settings, an address or a log that cannot be
                used; 3 not known yet: it may have been executed, and is held;
                130 stopped by Ctrl-C: it may have been executed.
    """
    with said_of_options():  # What is wrong with it is told before anything is opened.
        wish(**wanted)  # type: ignore[arg-type]
        if idempotency_key is not None:
            check_name("--idempotency-key", idempotency_key)
    converter = opened(config, log_file)
    try:
        done = asyncio.run(_converted(converter, idempotency_key=idempotency_key, **wanted))
    except KeyboardInterrupt:
        raise_again()
        _tell_interrupted(log_file, idempotency_key)
        raise
    except RequestError as error:
        ctx.exit(_told(error, log_file, as_json=as_json))
    if as_json:
        answer_json({"converted": True, **done.to_json()})
    else:
        _print(done)
    ctx.exit(FINE)


async def _converted(converter: MultiServiceConverter, *, idempotency_key: str | None, **wanted: Any) -> Conversion:
    """Convert, or join the first request under the key.

    What an interrupted command has left open under it is being looked up since the start: that gets its time.
    """
    async with converter:
        try:
            return await converter.convert(idempotency_key=idempotency_key, **wanted)
        except OutcomeUnknown as error:
            if idempotency_key is None or not await _settled(converter, error.request_id):
                raise
            return await converter.convert(idempotency_key=idempotency_key, **wanted)
        except asyncio.CancelledError:
            raise_between_steps(asyncio.get_running_loop())
            note(
                f"\nWhat has begun may end yet, for up to {_patience_s(converter):g} s; Ctrl-C once more stops at once."
            )
            raise


async def _settled(converter: MultiServiceConverter, request_id: str) -> bool:
    """Whether a request has ended, be it while we wait for its look-up, as long as one call may take."""
    another_has = asyncio.Event()

    async def ended(_: Notice) -> None:
        another_has.set()

    converter.on("request:completed", ended)
    converter.on("request:failed", ended)
    if any(one.has_lookup for one in converter.policy.providers):
        with suppress(TimeoutError):
            async with asyncio.timeout(_patience_s(converter)):
                while request_id in converter.engine.unsettled:
                    another_has.clear()
                    await another_has.wait()
    return request_id not in converter.engine.unsettled


def _patience_s(converter: MultiServiceConverter) -> float:
    return converter.policy.request_timeout_ms / 1000


def _tell_interrupted(log_file: Path, idempotency_key: str | None) -> None:
    """Say what is known after Ctrl-C, and what to type next: the same once more is safe only under a key."""
    note(f"\nIt may have been converted: what had begun is on record in {log_file}, and the next start settles it.")
    if idempotency_key is None:
        look = f"understudy explain {log_file} last"
        note(f"Look first: {look}. Without an --idempotency-key the same command would be a second conversion.")
    else:
        note("Type the same command again: under the same --idempotency-key nothing is converted twice.")


def _told(error: RequestError, log_file: Path, *, as_json: bool) -> int:
    """Tell how it ended, and with which exit code."""
    unknown = isinstance(error, OutcomeUnknown)
    if as_json:
        answer_json(
            {
                "converted": None if unknown else False,
                "error": type(error).__name__,
                "message": str(error),
                "request_id": error.request_id,
            }
        )
    else:
        note(f"{'Not known yet' if unknown else 'Not converted, and nothing has moved'}: {error}")
        note(f"The whole story: understudy explain {log_file} {error.request_id}")
    return WAITS if unknown else NOT_AS_IT_SHOULD_BE


def _print(done: Conversion) -> None:
    arrives = "an amount that is not known" if done.amount_out is None else f"{exact(done.amount_out)} {done.to_coin}"
    before = " (by an earlier request under this key)" if done.joined else ""
    answer(f"{exact(done.amount)} {done.from_coin} converted into {arrives}{before}:")
    fees = exact(done.fees) if done.fees is None else f"{exact(done.fees)} {done.to_coin}"
    facts(
        [
            ("service", done.service),
            ("rate", exact(done.rate)),
            ("fees", fees),
            ("failovers", str(done.failovers)),
            ("reference", done.reference or "-"),
            ("request", done.request_id),
        ]
    )
