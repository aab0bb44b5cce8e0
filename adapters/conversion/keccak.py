"""Keccak-256 as Ethereum uses it: SHA-3 before NIST changed its padding, which is why `hashlib.sha3_256` will not do.

Source: The Keccak reference, version 3.0 (2011), with rate 1088, capacity 512 and padding 0x01.
"""

from itertools import pairwise
from typing import Final

_RATE: Final = 136
_ROUNDS: Final = 24
_LANE: Final = (1 << 64) - 1


def keccak_256(data: bytes) -> bytes:
    """The 32 bytes of the hash. A millisecond or so for each 136 bytes: meant for addresses, not for files."""
    padded = bytearray(data) + b"\1" + bytes(-(len(data) + 1) % _RATE)
    padded[-1] |= 0x80
    lanes = [0] * 25
    for start in range(0, len(padded), _RATE):
        for place in range(_RATE // 8):
            lanes[place] ^= int.from_bytes(padded[start + 8 * place : start + 8 * place + 8], "little")
        lanes = _permuted(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def _permuted(lanes: list[int]) -> list[int]:
    """The permutation Keccak-f[1600]. The lane at column x and row y is `lanes[x + 5 * y]`."""
    for constant in _ROUND_CONSTANTS:
        column = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        mixed = [column[x - 1] ^ _rotated(column[(x + 1) % 5], 1) for x in range(5)]
        moved = list(lanes)
        moved[0] = lanes[0] ^ mixed[0]
        for (origin, target), rotation in _MOVES:
            moved[target] = _rotated(lanes[origin] ^ mixed[origin % 5], rotation)
        lanes = [
            moved[x + row] ^ (~moved[(x + 1) % 5 + row] & moved[(x + 2) % 5 + row])
            for row in range(0, 25, 5)
            for x in range(5)
        ]
        lanes[0] ^= constant
    return lanes


def _rotated(lane: int, bits: int) -> int:
    return (lane << bits | lane >> (64 - bits)) & _LANE


def _moves() -> tuple[tuple[tuple[int, int], int], ...]:
    """Steps rho and pi: which lane goes where, turned by how many bits. The walk passes all lanes but the first."""
    x, y = 1, 0
    walk = [(x, y)]
    for _ in range(24):
        x, y = y, (2 * x + 3 * y) % 5
        walk.append((x, y))
    places = [x + 5 * y for x, y in walk]
    return tuple((step, (t + 1) * (t + 2) // 2 % 64) for t, step in enumerate(pairwise(places)))


def _round_constants() -> tuple[int, ...]:
    """Step iota: the bits at places 2^j - 1 of each round's constant come from a shift register of eight bits."""
    register, constants = 1, []
    for _ in range(_ROUNDS):
        constant = 0
        for j in range(7):
            constant |= (register & 1) << ((1 << j) - 1)
            register = register << 1 ^ (0x171 if register >> 7 else 0)
        constants.append(constant)
    return tuple(constants)


_MOVES: Final = _moves()
_ROUND_CONSTANTS: Final = _round_constants()
