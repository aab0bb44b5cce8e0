"""A provider's answer to being asked for a quote, made sure of before anything is compared."""

from dataclasses import replace
from decimal import Decimal
from typing import Final

from understudy.engine.errors import InvalidReply
from understudy.engine.provider import Reply
from understudy.events.quotes import Quote

_MOST_DIGITS: Final = 40
_LATEST_US: Final = 1 << 60
_LONGEST_REFERENCE: Final = 500


def checked_quote(answer: Reply, *, wanted: bool) -> Reply:
    """The answer, its quote as the rules expect one; `wanted` tells that there must be one.

    Errors: InvalidReply, saying what is wrong.
    """
    quote: object = answer.quote  # Whatever an adapter puts there.
    if quote is None and not wanted:
        return answer
    if not isinstance(quote, Quote):
        raise InvalidReply(
            f"a quote was asked for, and what came is {_named(answer.value if quote is None else quote)}"
        )
    _check("rate", quote.rate, above_zero=True)
    for name in ("amount_out", "min_amount", "max_amount"):
        value = getattr(quote, name)
        if value is not None:
            _check(name, value, above_zero=name == "amount_out")
    expires_us: object = quote.expires_at_us
    reference: object = quote.reference
    if expires_us is not None and not (type(expires_us) is int and 0 <= expires_us < _LATEST_US):
        raise InvalidReply(f"the quote's expires_at_us is {expires_us!r}, and must be microseconds since 1970")
    if reference is None:
        return answer
    text = str(reference)
    if len(text) > _LONGEST_REFERENCE or text != text.encode(errors="replace").decode():
        raise InvalidReply(f"the quote's reference is none that can be kept: {len(text)} characters")
    return answer if text is reference else replace(answer, quote=replace(quote, reference=text))


def _check(name: str, value: object, *, above_zero: bool) -> None:
    if not isinstance(value, Decimal):
        raise InvalidReply(f"the quote's {name} is {_named(value)}, and must be a Decimal")
    if not value.is_finite() or len(value.as_tuple().digits) > _MOST_DIGITS or abs(value.adjusted()) > _MOST_DIGITS:
        raise InvalidReply(f"the quote's {name} is no number to reckon with: {str(value)[:50]}")
    if value < 0 or (above_zero and not value):
        raise InvalidReply(f"the quote's {name} is {value}, and must be {'above' if above_zero else 'at least'} 0")


def _named(value: object) -> str:
    return "nothing" if value is None else f"of type {type(value).__name__}"
