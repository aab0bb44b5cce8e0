"""Numbers derived from a recorded draw: each use has its own, so that one does not lean on another."""

from typing import Final

FULL: Final = 1 << 31
"""Draws and derived numbers are integers from 0 below this."""
_MASK: Final = (1 << 64) - 1


def derive(draw: int, purpose: int) -> int:
    """The number that a purpose gets from a draw, from 0 below 2^31 (one round of the SplitMix64 finaliser)."""
    mixed = (draw * 0x9E3779B97F4A7C15 + (purpose + 1) * 0xD1B54A32D192ED03) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return (mixed ^ (mixed >> 31)) >> 33


def below(draw: int, purpose: int, limit: int) -> int:
    """A derived number from 0 below `limit`; 0 if there is nothing to choose from."""
    return derive(draw, purpose) * limit // FULL


WHETHER_TO_EXPLORE: Final = 1
WHOM_TO_EXPLORE: Final = 2
BACK_OFF: Final = 100
"""Plus the number of the retry."""
WEIGHT: Final = 1_000
"""Plus the place in the order."""
