"""A refusal says what is wrong with an address and what would be right; what cannot be told apart is not guessed."""

import pytest

from understudy.adapters.conversion import (
    COINS,
    NETWORKS,
    InvalidAddress,
    Testnet,
    XrpAccount,
    base58,
    cashaddr,
    check_address,
    checked_tag,
    coin,
    network_of,
)
from understudy.adapters.conversion.cashaddr import CashAddress
from understudy.adapters.conversion.unreadable import Unreadable
from understudy.adapters.conversion.xrp import decode_x_address, encode_x_address
from understudy.engine import InvalidRequest

BITCOIN = "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH"
BITCOIN_SCRIPT = "3JvL6Ymt8MVWiCNHC7oWU6nLeHNJKLZGLN"
SEGWIT = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
CASH = "bitcoincash:qp63uahgrxged4z5jswyt5dn5v3lzsem6cy4spdc2h"
EVM = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
TRON = "TMVQGm1qAQYVdetCeGRRkTWYYrLXuHK2HC"
TRON_HEX = "417e5f4552091a69125d5dfcb7b8c2659029395bdf"
XRP = "rBgGZ9tc4him9KBzD8fKFiQz3fSZpaSwMH"
SOLANA = "6ASf5EcmmEHTgDJ4X4ZT5vT6iHVJBXPg5AN5YoTCpGWt"


@pytest.mark.parametrize(
    ("address", "to", "said"),
    [
        (BITCOIN[:-1] + "J", "BTC", "its checksum is wrong: a character is probably mistyped or missing"),
        (BITCOIN.replace("Z", "0"), "BTC", "it contains '0', which Base58 does not use"),
        (SEGWIT[:-1] + "5", "BTC", "its checksum is wrong"),
        (SEGWIT.replace("q", "Q", 1), "BTC", "it mixes capital and small letters"),
        (SEGWIT.replace("5", "b"), "BTC", "it contains 'b', which does not occur in such an address"),
        (CASH.upper().replace("BITCOIN", "Bitcoin"), "BCH", "it mixes capital and small letters"),
        (EVM.replace("E", "e", 1), "ETH", "its checksum is wrong.*EIP-55"),
        (EVM[2:], "ETH", "it must begin with 0x"),
        (EVM.replace("0x", "0X"), "ETH", "it must begin with 0x"),
        (EVM[:-1], "ETH", "it must have 40 hexadecimal digits behind 0x"),
        (EVM[:-1] + "g", "ETH", "it must have 40 hexadecimal digits behind 0x"),
        (SOLANA + "1", "SOL", "32 to 44 characters of Base58"),
        (SOLANA[:-5], "SOL", "it holds 29 bytes; an address of Solana holds 32"),
        ("mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r", "BTC", "this is a Bitcoin testnet address; one of the main network"),
        ("tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", "BTC", "this is a Bitcoin testnet address"),
        ("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", "BTC", "this is a Bitcoin regtest address"),
        ("mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r", "LTC", "this is a Litecoin testnet address"),
        ("mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r", "DOGE", "this looks like a Bitcoin testnet address"),
        ("nesRpRaAbTDmZHwmzBkLd2AtF7Z9L9z5S2", "DOGE", "this is a Dogecoin testnet address"),
        ("bchtest:qp63uahgrxged4z5jswyt5dn5v3lzsem6cq85x00dt", "BCH", "this is a Bitcoin Cash testnet address"),
        ("qp63uahgrxged4z5jswyt5dn5v3lzsem6cq85x00dt", "BCH", "this is a Bitcoin Cash testnet address"),
        ("LVuDpNCSSj6pQ7t9Pv6d6sUkLKoqDEVUnJ", "BTC", "this looks like a Litecoin address; .*1… or 3… or bc1…"),
        ("ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9", "BTC", "this looks like a Litecoin address"),
        ("DFpN6QqFfUm3gKNaxN6tNcab1FArL9cZLE", "LTC", "this looks like a Dogecoin address"),
        (CASH, "BTC", "this looks like a Bitcoin Cash address"),
        (CASH.partition(":")[2], "BTC", "this looks like a Bitcoin Cash address"),
        (EVM, "BTC", "this looks like an Ethereum address"),
        (EVM, "SOL", "this looks like an Ethereum address"),
        (XRP, "BTC", "this looks like an XRP Ledger address"),
        (SOLANA, "ETH", "this looks like a Solana address; one that would do looks like 0x…"),
        (BITCOIN, "XRP", "this looks like a Bitcoin address"),
        (BITCOIN_SCRIPT, "LTC", r"of the form that Bitcoin uses and Litecoin has given up.*\(M…\)"),
        (BITCOIN, "BCH", r"of the form that Bitcoin uses and Bitcoin Cash has given up.*\(bitcoincash:q…\)"),
        (BITCOIN_SCRIPT, "BCH", "Bitcoin Cash has given up"),
        (TRON_HEX, "TRX", "it is in hexadecimal.*pass the form T…"),
        ("0x" + TRON_HEX, "TRX", "it is in hexadecimal"),
        ("XVLhHMPHU98es4dbozjVtdWzVrDjtV18pX8yuPT7y4xaEHi", "XRP", "it is an X-address.*decode_x_address"),
        (TRON, "XRP", "this looks like a Tron address"),
        ("bitcoin:" + BITCOIN, "BTC", "pass the address alone, without 'bitcoin:'"),
        (BITCOIN + "?amount=1", "BTC", r"it contains '\?'"),
        ("vitalik.eth", "ETH", "this is no such address; one looks like 0x…"),
        ("4" + BITCOIN[1:], "BTC", "this is no such address; one looks like 1… or 3… or bc1…"),
        ("a" * 64, "ETH", "this may be a private key"),
        ("0x" + "a" * 64, "ETH", "this may be a private key"),
    ],
)
def test_a_refusal_says_what_is_wrong(address: str, to: str, said: str) -> None:
    with pytest.raises(InvalidAddress, match=said):
        check_address(address, to)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("", "it is empty"),
        (" \t", "it is empty"),
        (" " + BITCOIN, "white space stands before or behind it"),
        (BITCOIN + "\n", "white space stands before or behind it"),
        (BITCOIN[:9] + " " + BITCOIN[9:], "character 10 is ' ', which none contains"),
        ("\u200b" + BITCOIN, r"character 1 is U\+200B"),
        (BITCOIN.replace("B", "\u0412"), r"character 2 is U\+0412"),
        ("0" * 100_000, "it has 100,000 characters; none has more than 128"),
        (None, "a text is needed, not NoneType"),
        (b"1BgG", "a text is needed, not bytes"),
    ],
)
def test_what_can_be_no_address_at_all_is_refused_for_every_coin(address: str, said: str) -> None:
    for to in ("BTC", "BCH", "ETH", "TRX", "XRP", "SOL"):
        with pytest.raises(InvalidAddress, match=said) as refusal:
            check_address(address, to)
        assert len(str(refusal.value)) < 150


@pytest.mark.parametrize("to", [one.ticker for one in COINS.values() if one.networks])
def test_no_refusal_repeats_an_address_in_full(to: str) -> None:
    with pytest.raises(InvalidAddress, match="aaaaaa…aaaaaa") as refusal:
        check_address("a" * 128, to)
    assert "a" * 8 not in str(refusal.value)


@pytest.mark.parametrize(
    ("to", "address"),
    [
        ("ETH", "0x" + "0" * 40),
        ("USDT", "0x000000000000000000000000000000000000dEaD"),
        ("BTC", base58.encode_checked(bytes(21))),
        ("BTC", "bc1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq9e75rs"),
        ("BCH", cashaddr.encode(CashAddress(kind=0, hash=bytes(20)), prefix="bitcoincash")),
        ("TRX", "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb"),
        ("XRP", "rrrrrrrrrrrrrrrrrrrrrhoLvTp"),
        ("SOL", "11111111111111111111111111111111"),
    ],
)
def test_nothing_is_sent_where_nobody_could_ever_take_it_from(to: str, address: str) -> None:
    with pytest.raises(InvalidAddress, match="what is sent there is lost"):
        check_address(address, to)


@pytest.mark.parametrize(("kind", "size"), [(2, 20), (3, 32), (0, 32), (1, 24), (15, 20)])
def test_bitcoin_cash_is_paid_to_no_kind_of_address_but_the_plain_ones(kind: int, size: int) -> None:
    address = cashaddr.encode(CashAddress(kind=kind, hash=b"\1" * size), prefix="bitcoincash")
    with pytest.raises(InvalidAddress):
        check_address(address, "BCH")


@pytest.mark.parametrize(
    ("to", "payload"),
    [("DOGE", b"\x17" + b"\1" * 20), ("BTC", b"\0" + b"\1" * 21), ("BTC", b"\0" + b"\1" * 19)],
    ids=["another version", "a byte too many", "a byte too few"],
)
def test_a_right_first_character_and_a_right_checksum_are_not_enough(to: str, payload: bytes) -> None:
    with pytest.raises(InvalidAddress, match="it is something else in the same encoding"):
        check_address(base58.encode_checked(payload), to)


def test_a_cash_address_with_the_reserved_bit_is_none() -> None:
    with pytest.raises(Unreadable, match="does not fit its first character"):
        cashaddr.decode(
            cashaddr.encode(CashAddress(kind=16, hash=b"\1" * 20), prefix="bitcoincash"), prefix="bitcoincash"
        )


@pytest.mark.parametrize("address", ["bchtest" + CASH[11:], "bitcoincash:" + CASH, ":" + CASH.partition(":")[2]])
def test_a_cash_address_has_the_prefix_of_its_network_once_or_not_at_all(address: str) -> None:
    with pytest.raises(Unreadable, match="it does not begin with bitcoincash:"):
        cashaddr.decode(address, prefix="bitcoincash")


def test_bitcoin_cash_is_paid_to_a_script_of_either_length() -> None:
    for size in (20, 32):
        address = cashaddr.encode(CashAddress(kind=1, hash=b"\1" * size), prefix="bitcoincash")
        assert check_address(address, "BCH") == address


def test_an_address_is_given_back_as_its_network_writes_it() -> None:
    assert check_address(SEGWIT.upper(), "btc") == SEGWIT
    assert check_address(CASH.upper(), "BCH") == check_address(CASH.partition(":")[2], "BCH") == CASH
    assert check_address(EVM.lower(), "ETH") == check_address("0x" + EVM[2:].upper(), "ETH") == EVM


def test_a_token_is_sent_to_the_network_that_is_named() -> None:
    assert check_address(TRON, "USDT", "TRX") == check_address(TRON, "usdt", "trc20") == TRON
    assert check_address(SOLANA, coin("USDC"), "SOL") == SOLANA
    assert check_address(EVM, "USDT") == check_address(EVM, "USDT", "BSC") == EVM
    with pytest.raises(InvalidAddress, match=r"USDT address on Ethereum .*; if that is meant, pass network='TRX'"):
        check_address(TRON, "USDT")
    with pytest.raises(InvalidAddress, match=r"USDC address on Ethereum .* a Tron address; one that would do"):
        check_address(TRON, "USDC")


@pytest.mark.parametrize(
    ("to", "network", "said"),
    [
        ("EUR", None, "EUR is the money of a state: it has no addresses"),
        ("BTC", "ETH", "BTC is not paid out on ETH; it is on BTC"),
        ("USDT", "ARBITRUMM", "did you mean 'ARBITRUM'"),
        ("USDT", "?" * 10_000, r"network '\?{40}…' is unknown; known are BTC, LTC"),
        ("USDT", 1, "a network is named by a text"),
        ("BTX", None, "coin 'BTX' is unknown"),
    ],
)
def test_an_unknown_coin_or_network_is_told_what_there_is(to: str, network: str | None, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said) as refusal:
        check_address(EVM, to, network)
    assert not isinstance(refusal.value, InvalidAddress)


def test_an_address_of_a_test_network_counts_only_on_the_one_that_is_named() -> None:
    regtest = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
    assert check_address(regtest, "BTC", testnet=Testnet.REGTEST) == check_address(regtest, "BTC", testnet="regtest")
    with pytest.raises(InvalidAddress, match="this is a Bitcoin regtest address; one of the testnet network is needed"):
        check_address(regtest, "BTC", testnet="testnet")
    with pytest.raises(InvalidAddress, match="this is a Bitcoin address; one of the signet network is needed"):
        check_address(SEGWIT, "BTC", testnet="signet")


@pytest.mark.parametrize(
    ("to", "testnet", "said"),
    [
        ("BTC", "testnet5", "Bitcoin has no test network 'testnet5'; it has testnet, signet, regtest"),
        ("LTC", "signet", "Litecoin has no test network 'signet'; it has testnet, regtest"),
        ("ETH", "testnet", "it has none whose addresses differ"),
    ],
)
def test_a_test_network_that_a_coin_has_not_is_refused(to: str, testnet: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        check_address(EVM, to, testnet=testnet)


def test_every_network_of_a_coin_is_known_and_every_known_network_pays_out_a_coin() -> None:
    used = [network for one in COINS.values() for network in one.networks]
    assert set(used) == set(NETWORKS)
    assert all(network_of(one).id == one.default_network for one in COINS.values() if one.networks)


@pytest.mark.parametrize("tag", [0, 1, 4_294_967_295, "0", "12345", "4294967295"])
def test_a_destination_tag_is_a_number_of_32_bits(tag: str | int) -> None:
    assert checked_tag(tag, "XRP") == int(tag)


@pytest.mark.parametrize(
    "tag", [-1, 4_294_967_296, "4294967296", "", " 1", "1.0", "x", "9" * 5000, True, None, 1.0, "\u0661"]
)
def test_what_is_no_number_of_32_bits_is_no_destination_tag(tag: str | int) -> None:
    with pytest.raises(InvalidRequest, match="a whole number from 0 to 4,294,967,295"):
        checked_tag(tag, "XRP")


def test_a_coin_without_destination_tags_takes_none() -> None:
    with pytest.raises(InvalidRequest, match="BTC has no destination tags"):
        checked_tag(1, "BTC")


@pytest.mark.parametrize("is_testnet", [True, False])
@pytest.mark.parametrize("tag", [None, 0, 1, 4_294_967_295])
def test_an_x_address_is_written_and_read_back(tag: int | None, is_testnet: bool) -> None:
    account = XrpAccount(address=XRP, tag=tag, is_testnet=is_testnet)
    assert decode_x_address(encode_x_address(account)) == account


@pytest.mark.parametrize(
    "behind", [b"\0" + b"\1" + bytes(7), b"\1" + bytes(4) + b"\1" + bytes(3), b"\2" + bytes(8), bytes(8)]
)
def test_a_tag_of_an_x_address_that_the_standard_does_not_know_is_refused(behind: bytes) -> None:
    text = base58.encode_checked(b"\x05\x44" + b"\1" * 20 + behind, alphabet=base58.RIPPLE)
    with pytest.raises(Unreadable):
        decode_x_address(text)
