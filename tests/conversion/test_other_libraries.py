"""Independent libraries as oracles: base58-bech32 for the text encodings, PyCryptodome for Keccak.

They are asked about random payloads, right addresses made by them and by us, and about texts that are mostly wrong.
"""

import base58_bech32.base58 as other_base58
import base58_bech32.bech32 as other_bech32
import base58_bech32.cashaddr as other_cashaddr
import hypothesis
from base58_bech32.exceptions import Base58Bech32ValueError
from Crypto.Hash import keccak
from hypothesis import strategies as st

from understudy.adapters.conversion import base32, base58, bech32, cashaddr, check_address, segwit
from understudy.adapters.conversion.bech32 import Bech32, Variant
from understudy.adapters.conversion.cashaddr import CashAddress
from understudy.adapters.conversion.keccak import keccak_256
from understudy.adapters.conversion.segwit import WitnessProgram
from understudy.adapters.conversion.unreadable import Unreadable

HASHES = st.binary(min_size=20, max_size=20).filter(any)
ALPHABETS = st.sampled_from([base58.BITCOIN, base58.RIPPLE])
PREFIXES = st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12)
CASH_SIZES = (20, 24, 28, 32, 40, 48, 56, 64)


VERSIONS = (
    ("BTC", None, 0x00),
    ("BTC", None, 0x05),
    ("BTC", "testnet", 0x6F),
    ("BTC", "signet", 0xC4),
    ("LTC", None, 0x30),
    ("LTC", None, 0x32),
    ("LTC", "testnet", 0x3A),
    ("DOGE", None, 0x1E),
    ("DOGE", None, 0x16),
    ("DOGE", "testnet", 0x71),
    ("DASH", None, 0x4C),
    ("DASH", None, 0x10),
    ("DASH", "testnet", 0x8C),
    ("DASH", "testnet", 0x13),
    ("TRX", None, 0x41),
    ("XRP", None, 0x00),
)
WITNESS_PREFIXES = (
    ("BTC", None, "bc"),
    ("BTC", "testnet", "tb"),
    ("BTC", "signet", "tb"),
    ("BTC", "regtest", "bcrt"),
    ("LTC", None, "ltc"),
    ("LTC", "testnet", "tltc"),
)


@hypothesis.given(st.binary(max_size=60), ALPHABETS)
def test_base58_is_written_alike_and_read_back(data: bytes, alphabet: str) -> None:
    text = base58.encode(data, alphabet=alphabet)
    assert text == other_base58.b58encode(data, alphabet=alphabet.encode()).decode()
    assert base58.decode(text, alphabet=alphabet) == data
    checked = base58.encode_checked(data, alphabet=alphabet)
    assert checked == other_base58.b58encode_check(data, alphabet=alphabet.encode()).decode()
    assert base58.decode_checked(checked, alphabet=alphabet) == data


@hypothesis.given(st.text(alphabet=base58.BITCOIN + "0OIl ", max_size=45))
def test_any_text_is_base58_for_both_or_for_neither(text: str) -> None:
    theirs: bytes | None
    try:
        theirs = other_base58.b58decode(text)
    except Base58Bech32ValueError:
        theirs = None
    ours: bytes | None
    try:
        ours = base58.decode(text)
    except Unreadable:
        ours = None
    assert ours == theirs


@hypothesis.given(PREFIXES, st.lists(st.integers(0, 31), max_size=60), st.sampled_from(Variant))
def test_bech32_is_written_alike_and_read_back(prefix: str, values: list[int], variant: Variant) -> None:
    content = Bech32(prefix=prefix, values=tuple(values), variant=variant)
    text = bech32.encode(content)
    assert text == other_bech32.bech32_encode(prefix, values, m=int(variant), limit=90).decode()
    assert bech32.decode(text) == bech32.decode(text.upper()) == content


@hypothesis.given(st.binary(max_size=70))
def test_bytes_are_regrouped_alike_and_back(data: bytes) -> None:
    assert base32.regrouped(data) == other_bech32.convertbits(data, 8, 5)
    assert base32.whole_bytes(base32.regrouped(data)) == data


@hypothesis.given(st.lists(st.integers(0, 31), max_size=20))
def test_any_values_are_whole_bytes_for_both_or_for_neither(values: list[int]) -> None:
    theirs: bytes | None
    try:
        theirs = bytes(other_bech32.convertbits(values, 5, 8, pad=False))
    except Base58Bech32ValueError:
        theirs = None
    ours: bytes | None
    try:
        ours = base32.whole_bytes(values)
    except Unreadable:
        ours = None
    assert ours == theirs


@hypothesis.given(PREFIXES, st.integers(0, 15), st.sampled_from(CASH_SIZES), st.data())
def test_cashaddr_is_written_alike_and_read_back(prefix: str, kind: int, size: int, data: st.DataObject) -> None:
    destination = CashAddress(kind=kind, hash=data.draw(st.binary(min_size=size, max_size=size)))
    address = cashaddr.encode(destination, prefix=prefix)
    assert address == other_cashaddr.cashaddr_encode(prefix, kind, destination.hash).decode()
    assert cashaddr.decode(address, prefix=prefix) == destination
    assert cashaddr.decode(address.partition(":")[2].upper(), prefix=prefix) == destination


@hypothesis.given(st.binary(max_size=300))
@hypothesis.example(b"a" * 135)  # One byte of padding is the first and the last one at once.
@hypothesis.example(b"a" * 136)
def test_keccak_is_the_same_hash(data: bytes) -> None:
    assert keccak_256(data) == keccak.new(digest_bits=256, data=data).digest()


@hypothesis.given(HASHES, st.sampled_from(VERSIONS))
def test_an_address_by_another_base58_is_taken(digest: bytes, place: tuple[str, str | None, int]) -> None:
    coin, testnet, version = place
    alphabet = base58.RIPPLE if coin == "XRP" else base58.BITCOIN
    address = other_base58.b58encode_check(bytes([version]) + digest, alphabet=alphabet.encode()).decode()
    assert check_address(address, coin, testnet=testnet) == address


@hypothesis.given(
    st.one_of(
        st.tuples(st.just(0), HASHES),
        st.tuples(st.just(0), st.binary(min_size=32, max_size=32).filter(any)),
        st.tuples(st.integers(1, 16), st.binary(min_size=2, max_size=40).filter(any)),
    ),
    st.sampled_from(WITNESS_PREFIXES),
)
def test_an_address_by_another_bech32_is_taken(output: tuple[int, bytes], place: tuple[str, str | None, str]) -> None:
    (version, program), (coin, testnet, prefix) = output, place
    values = [version, *other_bech32.convertbits(program, 8, 5)]
    address = other_bech32.bech32_encode(prefix, values, limit=90).decode()
    assert check_address(address, coin, testnet=testnet) == address
    assert segwit.decode(address, prefix=prefix) == WitnessProgram(version=version, program=program)
    assert segwit.encode(WitnessProgram(version=version, program=program), prefix=prefix) == address


@hypothesis.given(HASHES)
def test_an_address_with_capitals_by_another_keccak_is_taken(digest: bytes) -> None:
    signs = keccak.new(digest_bits=256, data=digest.hex().encode()).hexdigest()
    address = "0x" + "".join(
        digit.upper() if int(sign, 16) > 7 else digit for digit, sign in zip(digest.hex(), signs, strict=False)
    )
    assert check_address("0x" + digest.hex(), "ETH") == check_address(address, "USDC", "BASE") == address


@hypothesis.given(st.binary(min_size=32, max_size=32).filter(any))
def test_an_address_of_solana_by_another_base58_is_taken(key: bytes) -> None:
    address = other_base58.b58encode(key).decode()
    assert check_address(address, "SOL") == address
