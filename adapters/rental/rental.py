"""A rented number in hand: its code, its end, all at the provider that it was rented from."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from understudy.adapters.rental.operations import CANCEL, CODE, FINISH
from understudy.engine.engine import Engine
from understudy.engine.errors import InvalidRequest
from understudy.engine.operation import Answer, Operation

POLL_MS: Final = 4_000
"""Pause between two looks for a code: shops ask for three seconds at least."""

_LEAST_POLL_MS: Final = 1_000
_LONGEST_MS: Final = 24 * 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rental:
    """A phone number that was rented.

    Shape:  `provider` rented it out, `activation_id` is its own id of it there; `failovers` counts the changes of
            provider on the way. `number` is None where a look-up or an operator told of the rental and knew none, and
            is not shown with the rest.
    Units:  `price` is in the provider's own unit, None if it did not tell.
    """

    provider: str
    activation_id: str
    request_id: str
    country: str
    service: str
    price: Decimal | None
    failovers: int
    number: str | None = field(repr=False)
    engine: Engine = field(repr=False, compare=False)

    async def code(self, *, wait_ms: int = 0, poll_ms: int = POLL_MS) -> str | None:
        """The code that was sent to the number; None if none has come within `wait_ms`.

        It is asked for at once, and again after every `poll_ms`, of which a second is the least; each time is on
        record.
        Errors: InvalidRequest for a time that is none; RequestError if the provider cannot be asked.
        """
        _check_ms("wait_ms", wait_ms, least=0)
        _check_ms("poll_ms", poll_ms, least=_LEAST_POLL_MS)
        time = asyncio.get_running_loop().time
        until_s = time() + wait_ms / 1000
        while True:
            code = told(await self._ask(CODE), "code")
            left_s = until_s - time()
            if code is not None or left_s <= 0:
                return code
            await asyncio.sleep(min(poll_ms / 1000, left_s))

    async def cancel(self, *, deadline_ms: int | None = None) -> None:
        """Give the number back, unused. Safe to repeat.

        Where the provider says that it is too early, this waits until it no longer is: up to `deadline_ms`, two and a
        half minutes by default. From the first moment on that is owed: should it fail, or its caller go, the engine
        goes on trying by itself, with an alert that stands until it is done.
        Errors: RequestError if the provider has not taken it back in that time.
        """
        await self._ask(CANCEL, deadline_ms=deadline_ms, undoes=self.request_id)

    async def finish(self) -> None:
        """Be done with the number. Safe to repeat.

        Errors: RequestError if the provider does not confirm it.
        """
        await self._ask(FINISH)

    async def _ask(self, operation: Operation, **more: Any) -> Answer:
        if not self.activation_id:
            raise InvalidRequest(
                f"{self.provider} has told no id of this rental, so it cannot be asked for its {operation.name}"
            )
        context = {"country": self.country, "service": self.service, "rental_id": self.activation_id}
        return await self.engine.call(
            operation.name, context=context, effect=operation.effect, only=self.provider, **more
        )


def _check_ms(what: str, value: int, *, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _LONGEST_MS:  # type: ignore[redundant-expr]
        raise InvalidRequest(f"{what} must be a whole number from {least} to {_LONGEST_MS}, not {value!r}")


def told(answer: Answer, name: str) -> str | None:
    """A field of an answer as text; None if it does not tell."""
    value: Any = answer.reply.get(name) if isinstance(answer.reply, Mapping) else None
    return str(value) if isinstance(value, str | int) and value != "" else None
