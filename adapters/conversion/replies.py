"""What services answer, looked at before it is believed: what is wrong of it makes the answer an `InvalidReply`.

No message repeats an address or a memo, neither ours nor what a service has made of it.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from understudy.adapters.conversion.addresses import check_address
from understudy.engine import quote_reply
from understudy.engine.errors import InvalidReply, InvalidRequest
from understudy.engine.parts import CREATE
from understudy.engine.provider import Found, Reply, Request
from understudy.events.exact import EXACT
from understudy.events.names import snake_case
from understudy.events.quotes import Quote
from understudy.events.vocabulary import Finding

_COINS: Final = ("from_coin", "to_coin")
_FACTOR: Final = Decimal(2)
"""How far what arrives may be from what was quoted, either way; beyond it, it is another conversion's answer."""
_SHOWN: Final = 12


def checked_quote(told: object, request: Request, *, now_us: int) -> Reply:
    """A service's answer to `quote`.

    Errors: InvalidReply with what is wrong of it.
    """
    answer = told if isinstance(told, Reply) else Reply(quote=told) if isinstance(told, Quote) else Reply(value=told)
    reply = quote_reply.checked_quote(answer, wanted=True)
    assert reply.quote is not None  # noqa: S101 - One was wanted.
    _expect_limits(reply.quote)
    _expect_in_time(reply.quote, now_us=now_us)
    _expect_echo(reply.value, request)
    return reply


def checked_reply(told: object, request: Request, *, operation: str) -> Reply:
    """A service's answer to a conversion, or to one of its two parts.

    Errors: InvalidReply with what is wrong of it.
    """
    reply = told if isinstance(told, Reply) else Reply(value=told)
    if reply.value is not None and not isinstance(reply.value, Mapping):
        raise _wrong_type("value", reply.value, "a mapping of names to values")
    if reply.reference is None:
        reply = replace(reply, reference=getattr(request.created, "reference", None))
    if not isinstance(reply.reference, str) or not reply.reference.strip():
        raise InvalidReply("the answer has no reference, by which it could be found there", code="REFERENCE")
    _expect_echo(reply.value, request)
    if operation != CREATE:
        _expect_arrival(reply.amount_out, request)
    return reply


def checked_finding(told: Found, request: Request) -> Found:
    """What a look-up has found: a conversion that was executed must be ours.

    Errors: InvalidReply with what is wrong of it.
    """
    if told.finding is Finding.SUCCEEDED:
        _expect_echo(told.value, request)
        _expect_arrival(told.amount_out, request)
    return told


def _expect_echo(value: object, request: Request) -> None:
    """What an answer repeats of the request must be as it was sent: coins, amount, address, memo, network."""
    if not isinstance(value, Mapping) or not isinstance(request.body, Mapping):
        return
    said = {snake_case(name): one for name, one in value.items() if isinstance(name, str)}
    for name in _COINS:
        theirs, ours = said.get(name), request.body.get(name)
        if theirs is not None and not _same_word(theirs, ours):
            raise InvalidReply(f"the answer's {name} is {_coin(theirs)}, not {ours}", code="CURRENCY")
    if said.get("amount") is not None and request.amount is not None and _number(said["amount"]) != request.amount:
        raise InvalidReply("the answer's amount is not the one that was given", code="AMOUNT")
    if said.get("address") is not None and "address" in request.body and not _same_address(said["address"], request):
        raise InvalidReply("the answer's address is not the one that was given", code="DESTINATION")
    if said.get("memo") is not None and "memo" in request.body and str(said["memo"]) != request.body["memo"]:
        raise InvalidReply("the answer's memo is not the one that was given", code="DESTINATION")
    theirs, ours = said.get("network"), request.body.get("network")
    if theirs is not None and ours is not None and not _same_word(theirs, ours):
        raise InvalidReply(f"the answer's network is not {ours}", code="DESTINATION")


def _expect_arrival(amount_out: Decimal | None, request: Request) -> None:
    """What has arrived must be about what was quoted; small differences are the service's record, not an error."""
    if amount_out is None:
        return
    _expect_number("amount_out", amount_out)
    quote = request.quote
    if quote is None:
        return
    quoted = quote.amount_out
    twice = EXACT.multiply(_FACTOR, amount_out)
    if quoted is not None and not quoted <= twice <= EXACT.multiply(_FACTOR, EXACT.multiply(_FACTOR, quoted)):
        raise InvalidReply(f"amount_out is {amount_out}, and {quoted} was quoted", code="AMOUNT_OUT")
    if request.amount is not None:
        gross = EXACT.multiply(quote.rate, request.amount)
        if amount_out > EXACT.multiply(gross, _FACTOR):
            raise InvalidReply(f"amount_out is {amount_out}, and no more than {gross} was quoted", code="AMOUNT_OUT")


def _expect_number(name: str, value: object) -> None:
    """A Decimal, or a whole number, above zero."""
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        raise _wrong_type(name, value, "a Decimal")
    if isinstance(value, Decimal) and not value.is_finite():
        raise InvalidReply(f"{name} is {value}, and no finite number", code=name.upper())
    if value <= 0:
        raise InvalidReply(f"{name} is {value}, and must be above 0", code=name.upper())


def _expect_limits(quote: Quote) -> None:
    if quote.min_amount is not None and quote.max_amount is not None and quote.min_amount > quote.max_amount:
        raise InvalidReply("the quote's min_amount is above its max_amount", code="LIMITS")


def _expect_in_time(quote: Quote, *, now_us: int) -> None:
    expires_us = quote.expires_at_us
    if expires_us is not None and expires_us <= now_us:
        raise InvalidReply(f"the quote had expired {(now_us - expires_us) // 1000} ms before it came", code="EXPIRED")


def _wrong_type(name: str, value: object, wanted: str) -> InvalidReply:
    return InvalidReply(f"{name} is of type {type(value).__name__}; it must be {wanted}", code="TYPE")


def _coin(theirs: object) -> str:
    """A coin as a service calls it, if that is what it is."""
    text = theirs if isinstance(theirs, str) else ""
    return repr(text) if text.isascii() and text.isalnum() and len(text) <= _SHOWN else "something else"


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _same_word(theirs: Any, ours: Any) -> bool:
    return isinstance(theirs, str) and isinstance(ours, str) and theirs.strip().casefold() == ours.casefold()


def _same_address(theirs: object, request: Request) -> bool:
    """Whether an address is ours, though a service may write it in another way."""
    body: Any = request.body
    ours = str(body["address"])
    if not isinstance(theirs, str) or theirs == ours:
        return theirs == ours
    try:
        return check_address(theirs, body.get("to_coin", ""), body.get("network")) == ours
    except InvalidRequest:
        return False
