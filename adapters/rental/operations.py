"""What can be asked of a shop that rents phone numbers out: each an operation of the engine."""

from collections.abc import Mapping
from typing import Final

from understudy.engine.arguments import is_name
from understudy.engine.operation import Operation
from understudy.engine.provider import Reply
from understudy.events.vocabulary import Effect

SENSITIVE: Final = frozenset({"number", "phone", "code", "codes", "text", "sms"})
"""Fields of an answer that tell a number, or what was sent to it: their values are not in the log in clear."""


def flaw_of_rental(reply: Reply) -> str | None:
    """What a shop has left out of the number that it has rented out; None if nothing."""
    number = reply.value.get("number") if isinstance(reply.value, Mapping) else None
    if not isinstance(number, str | int) or isinstance(number, bool) or number == "":
        return 'a number was rented, and not told: Reply(value={"number": …}, reference=…) is expected'
    if not is_name(reply.reference):
        return "a number was rented without the shop's own id of it: Reply(…, reference=…) is expected, as text"
    return None


RENT: Final = Operation(name="rent", effect=Effect.ONCE, sensitive=SENSITIVE, undone_by="cancel", flaw=flaw_of_rental)
"""Rent a number. The reference of the answer is the activation; a number that nobody has a use for is cancelled."""
CODE: Final = Operation(name="code", effect=Effect.READ, sensitive=SENSITIVE)
"""Read the code that was sent to a number; the answer has none as long as none has come."""
CANCEL: Final = Operation(
    name="cancel", effect=Effect.IDEMPOTENT, sensitive=SENSITIVE, free_to_abandon=True, deadline_ms=150_000
)
"""Give an unused number back. It may be repeated: what is cancelled already is no error.

Its time is enough for shops that take no number back within its first two minutes, and say so.
"""
FINISH: Final = Operation(name="finish", effect=Effect.IDEMPOTENT, sensitive=SENSITIVE, free_to_abandon=True)
"""Be done with a number that has served its purpose. It may be repeated, too."""

RENTALS: Final = (RENT, CODE, CANCEL, FINISH)
"""All of them, for `Engine(operations=RENTALS)`."""
