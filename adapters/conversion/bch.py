"""The checksums of Bech32 and CashAddr: one BCH code over five-bit values, in two lengths.

Source: BIP173 and the CashAddr specification, which name the generators.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bch:
    """A code by its generator: five numbers, each of as many five-bit values as the checksum has `characters`."""

    characters: int
    generator: tuple[int, int, int, int, int]

    def remainder(self, values: Sequence[int]) -> int:
        """What is left of values and their checksum: in a valid text a number that is known beforehand."""
        upper = 5 * (self.characters - 1)
        remainder = 1
        for value in values:
            top = remainder >> upper
            remainder = (remainder & (1 << upper) - 1) << 5 ^ value
            for place, factor in enumerate(self.generator):
                if top >> place & 1:
                    remainder ^= factor
        return remainder

    def checksum(self, values: Sequence[int], *, remainder: int) -> list[int]:
        """The five-bit values that, put behind these, leave this remainder."""
        missing = self.remainder([*values, *[0] * self.characters]) ^ remainder
        return [missing >> 5 * place & 31 for place in reversed(range(self.characters))]
