"""What an answer of `handler_api.php` is: good or an error, a number, a list, a price."""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from understudy.adapters.providers import HttpReply
from understudy.adapters.rental.sms_activate_words import FINE, NONE_ACTIVE, OVER, fault, word_of
from understudy.engine.errors import InvalidReply, ProviderError
from understudy.engine.provider import Reply

_SUCCESS: Final = 2


def judged(reply: HttpReply, *, action: str) -> ProviderError | HttpReply | None:
    """What an answer is, by its word; where it has none that is known, the status speaks, if that is bad."""
    word = word_of(reply)
    if word in FINE or (isinstance(reply.json, dict | list) and word is None and reply.status // 100 == _SUCCESS):
        return reply
    if action == "setStatus" and (word in OVER or reply.status == 204):  # noqa: PLR2004 - No content.
        return reply
    if word is not None and (error := fault(word, reply, buys=action.startswith("getNumber"))) is not None:
        return error
    if reply.status // 100 != _SUCCESS:
        return None
    return InvalidReply("an answer that this protocol does not know", code=word)


def rented(reply: HttpReply, *, listed: Decimal | None) -> Reply:
    """A number that was rented, told as JSON or in words, which tell no price: `listed` stands in for it.

    Errors: InvalidReply.
    """
    if isinstance(reply.json, dict):
        told = price_of(reply.json.get("activationCost"))
        cost = None if told is None else Decimal(told)
        number, reference = reply.string("phoneNumber"), reply.string("activationId")
    else:
        cost = listed
        _, reference, number = [*reply.text.strip().split(":"), "", ""][:3]
    if not number or not reference:
        raise InvalidReply("a number was rented, and not told")
    return Reply(value={"number": number}, reference=reference, cost=cost)


def price_of(told: object) -> str | None:
    """A price as exact text; None if it is none."""
    try:
        price = Decimal(str(told))
    except InvalidOperation:
        return None
    return format(price, "f") if price.is_finite() else None


def activations(reply: HttpReply) -> Iterable[Any]:
    """The list of what is active.

    Errors: InvalidReply if the answer is none: that it names nothing would prove nothing.
    """
    told = reply.json
    if word_of(reply) == NONE_ACTIVE or (isinstance(told, dict) and told.get("error") == NONE_ACTIVE):
        return ()
    lists = [told, *(told.get(name) for name in ("activeActivations", "data"))] if isinstance(told, dict) else [told]
    found = next((one for one in lists if isinstance(one, list)), None)
    if found is None:
        raise InvalidReply(f"a list of activations was expected: {reply.beginning}")
    return found
