"""The encodings read, write and refuse what the specifications say."""

import pytest
from conversion.published_vectors import (
    BASE58,
    BECH32,
    BECH32M,
    BITCOIN_ADDRESSES,
    BITCOIN_KEYS,
    CASH_CHECKSUMS,
    CASH_HASHES,
    CASH_OF_LEGACY,
    EIP55,
    NO_BECH32,
    NO_BECH32M,
    NO_SEGWIT,
    SEGWIT,
    X_ADDRESSES,
)

from understudy.adapters.conversion import InvalidAddress, base58, bech32, cashaddr, check_address, eip55, segwit, xrp
from understudy.adapters.conversion.bech32 import Variant
from understudy.adapters.conversion.keccak import keccak_256
from understudy.adapters.conversion.unreadable import Unreadable


@pytest.mark.parametrize(
    ("text", "variant"),
    [*((text, Variant.BECH32) for text in BECH32), *((text, Variant.BECH32M) for text in BECH32M)],
)
def test_a_published_text_is_read_with_its_checksum_and_written_again(text: str, variant: Variant) -> None:
    content = bech32.decode(text)
    assert content.variant is variant
    assert bech32.encode(content) == text.lower()


@pytest.mark.parametrize("text", [*NO_BECH32, *NO_BECH32M])
def test_a_text_that_breaks_a_rule_of_bech32_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        bech32.decode(text)


@pytest.mark.parametrize("address", SEGWIT)
def test_a_segwit_address_stands_for_its_output_script(address: str) -> None:
    prefix = address[:2].lower()
    destination = segwit.decode(address, prefix=prefix)
    version = destination.version + 0x50 if destination.version else 0
    assert bytes([version, len(destination.program)]) + destination.program == bytes.fromhex(SEGWIT[address])
    assert segwit.encode(destination, prefix=prefix) == address.lower()
    assert check_address(address, "BTC", testnet=None if prefix == "bc" else "testnet") == address.lower()


@pytest.mark.parametrize("address", NO_SEGWIT)
def test_what_the_bips_call_invalid_is_no_bitcoin_address_anywhere(address: str) -> None:
    for testnet in (None, "testnet", "signet", "regtest"):
        with pytest.raises(InvalidAddress):
            check_address(address, "BTC", testnet=testnet)


@pytest.mark.parametrize("address", EIP55)
def test_capitals_are_where_the_erc_puts_them(address: str) -> None:
    assert eip55.checksummed(address[2:].lower()) == eip55.checksummed(address[2:].upper()) == address
    assert check_address(address, "ETH") == check_address(address.lower(), "ETH") == address


@pytest.mark.parametrize("address", CASH_CHECKSUMS)
def test_a_checksum_of_cashaddr_counts_whatever_is_in_it(address: str) -> None:
    prefix = address.partition(":")[0]
    assert cashaddr.checked_values(address, prefix=prefix) is not None
    with pytest.raises(Unreadable, match="checksum"):
        cashaddr.checked_values(address.partition(":")[2], prefix="bitcoincaesh")


@pytest.mark.parametrize("legacy", CASH_OF_LEGACY)
def test_the_new_form_of_bitcoin_cash_holds_the_hash_of_the_old_one(legacy: str) -> None:
    destination = cashaddr.decode(CASH_OF_LEGACY[legacy], prefix="bitcoincash")
    version, *digest = base58.decode_checked(legacy)
    assert (destination.kind, destination.hash) == ({0: 0, 5: 1}[version], bytes(digest))


@pytest.mark.parametrize("address", CASH_HASHES)
def test_a_cash_address_holds_its_kind_and_hash(address: str) -> None:
    prefix = address.partition(":")[0]
    destination = cashaddr.decode(address, prefix=prefix)
    assert (destination.kind, destination.hash.hex().upper()) == CASH_HASHES[address]
    assert cashaddr.encode(destination, prefix=prefix) == address


@pytest.mark.parametrize("data", BASE58)
def test_base58_is_as_bitcoin_core_has_it(data: str) -> None:
    assert base58.encode(bytes.fromhex(data)) == BASE58[data]
    assert base58.decode(BASE58[data]) == bytes.fromhex(data)


@pytest.mark.parametrize(("testnet", "address"), BITCOIN_ADDRESSES)
def test_an_address_of_bitcoin_core_is_taken_on_its_own_network(testnet: str | None, address: str) -> None:
    assert check_address(address, "BTC", testnet=testnet) == address
    with pytest.raises(InvalidAddress, match="network is needed"):
        check_address(address, "BTC", testnet="testnet" if testnet is None else None)


@pytest.mark.parametrize("key", BITCOIN_KEYS)
@pytest.mark.parametrize("coin", ["BTC", "LTC", "ETH", "SOL"])
def test_a_private_key_is_told_apart_and_not_repeated(key: str, coin: str) -> None:
    with pytest.raises(InvalidAddress, match="private key") as refusal:
        check_address(key, coin)
    assert key[:4] not in str(refusal.value)
    assert key[-4:] not in str(refusal.value)


@pytest.mark.parametrize("address", X_ADDRESSES)
def test_an_x_address_holds_account_and_tag(address: str) -> None:
    account = xrp.decode_x_address(address)
    assert (account.address, account.tag, account.is_testnet) == X_ADDRESSES[address]
    assert xrp.encode_x_address(account) == address
    assert check_address(account.address, "XRP") == account.address


def test_keccak_of_nothing_is_not_that_of_sha3() -> None:
    assert keccak_256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
