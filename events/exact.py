"""Arithmetic on money and rates that gives the same everywhere, to the last digit."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Final

EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])
"""Never the thread's own context: whoever embeds the engine may have changed that. Sixty digits hold any amount of any
coin times any rate."""

_TWO: Final = Decimal(2)
_TEN_THOUSAND: Final = Decimal(10_000)


def in_parts(value: Decimal, parts: int) -> int:
    """A figure in so many parts of one, such as millionths, towards zero."""
    return int(EXACT.multiply(value, parts))


def median(values: Sequence[Decimal]) -> Decimal:
    """The middle one of some values, or what lies half-way between the middle two."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return EXACT.divide(EXACT.add(ordered[middle - 1], ordered[middle]), _TWO)


def share_off(value: Decimal, reference: Decimal) -> Decimal:
    """How far a value lies from a reference, as a share of the reference; negative below it."""
    return EXACT.divide(EXACT.subtract(value, reference), reference)


def basis_points(share: Decimal) -> int:
    """A share in basis points, towards zero."""
    return int(EXACT.multiply(share, _TEN_THOUSAND))
