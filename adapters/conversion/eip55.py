"""EIP-55: the checksum of an Ethereum address, hidden in which of its letters are capital.

Source: ERC-55. A mistyped character passes about once in 4,000 times; small letters alone carry no checksum at all.
"""

from understudy.adapters.conversion.keccak import keccak_256


def checksummed(digits: str) -> str:
    """Forty hexadecimal digits, in whatever case, as an address with `0x` and the right capitals."""
    small = digits.lower()
    signs = keccak_256(small.encode("ascii")).hex()
    return "0x" + "".join(
        digit.upper() if sign in "89abcdef" else digit for digit, sign in zip(small, signs, strict=False)
    )
