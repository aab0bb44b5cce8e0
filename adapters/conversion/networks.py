"""The networks on which coins are paid out, and the forms that addresses have there.

Source: the `chainparams.cpp` of Bitcoin, Litecoin, Dogecoin and Dash; SLIP-0173 (prefixes); the specifications that the
encodings name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from understudy.adapters.conversion import base58
from understudy.adapters.conversion.forms import (
    Base58Form,
    CashForm,
    EvmForm,
    Form,
    SegwitForm,
    SolanaForm,
    TronHexForm,
    XAddressForm,
)


class Testnet(StrEnum):
    """A network to try things on, whose coins are worth nothing."""

    __test__ = False  # Where it is imported, pytest would take it for a class of tests.

    TESTNET = "testnet"
    SIGNET = "signet"
    REGTEST = "regtest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Where coins move.

    Shape:  `forms` are payable; `testnets` has the forms of those test networks whose addresses differ; `refused` are
            forms that are real addresses there and not accepted, each with the reason.
    """

    id: str
    name: str
    forms: tuple[Form, ...]
    testnets: Mapping[Testnet, tuple[Form, ...]] = field(default_factory=dict)
    refused: tuple[tuple[Form, str], ...] = ()


_EVM: Final = (EvmForm(),)
_TEST_KEY: Final = Base58Form(version=0x6F, firsts="mn")
_TEST_SCRIPT: Final = Base58Form(version=0xC4, firsts="2")
_BITCOIN_KEY: Final = Base58Form(version=0x00, firsts="1")
_BITCOIN_SCRIPT: Final = Base58Form(version=0x05, firsts="3")
_OLD_CASH: Final = (
    "it is of the form that Bitcoin uses and Bitcoin Cash has given up: nobody can tell whose it is; "
    "ask the wallet for the new form (bitcoincash:q…)"
)
_OLD_LITECOIN: Final = (
    "it is of the form that Bitcoin uses and Litecoin has given up: nobody can tell whose it is; "
    "ask the wallet for the new form (M…)"
)
_TAGGED_XRP: Final = (
    "it is an X-address, account and destination tag in one; pass the account (r…) as the address and the tag apart: "
    "`decode_x_address` tells them"
)

_NETWORKS: Final = (
    Network(
        id="BTC",
        name="Bitcoin",
        forms=(_BITCOIN_KEY, _BITCOIN_SCRIPT, SegwitForm(prefix="bc")),
        testnets={
            Testnet.TESTNET: (_TEST_KEY, _TEST_SCRIPT, SegwitForm(prefix="tb")),
            Testnet.SIGNET: (_TEST_KEY, _TEST_SCRIPT, SegwitForm(prefix="tb")),
            Testnet.REGTEST: (_TEST_KEY, _TEST_SCRIPT, SegwitForm(prefix="bcrt")),
        },
    ),
    Network(
        id="LTC",
        name="Litecoin",
        forms=(
            Base58Form(version=0x30, firsts="L"),
            Base58Form(version=0x32, firsts="M"),
            SegwitForm(prefix="ltc"),
        ),
        testnets={
            Testnet.TESTNET: (_TEST_KEY, Base58Form(version=0x3A, firsts="Q"), SegwitForm(prefix="tltc")),
            Testnet.REGTEST: (_TEST_KEY, Base58Form(version=0x3A, firsts="Q"), SegwitForm(prefix="rltc")),
        },
        refused=(
            (
                _BITCOIN_SCRIPT,
                _OLD_LITECOIN,
            ),
        ),
    ),
    Network(
        id="DOGE",
        name="Dogecoin",
        forms=(Base58Form(version=0x1E, firsts="D"), Base58Form(version=0x16, firsts="9A")),
        testnets={
            Testnet.TESTNET: (Base58Form(version=0x71, firsts="n"), _TEST_SCRIPT),
            Testnet.REGTEST: (_TEST_KEY, _TEST_SCRIPT),
        },
    ),
    Network(
        id="BCH",
        name="Bitcoin Cash",
        forms=(CashForm(prefix="bitcoincash"),),
        testnets={
            Testnet.TESTNET: (CashForm(prefix="bchtest"),),
            Testnet.REGTEST: (CashForm(prefix="bchreg"),),
        },
        refused=((_BITCOIN_KEY, _OLD_CASH), (_BITCOIN_SCRIPT, _OLD_CASH)),
    ),
    Network(
        id="DASH",
        name="Dash",
        forms=(Base58Form(version=0x4C, firsts="X"), Base58Form(version=0x10, firsts="7")),
        testnets={
            Testnet.TESTNET: (Base58Form(version=0x8C, firsts="y"), Base58Form(version=0x13, firsts="89")),
        },
    ),
    Network(id="ETH", name="Ethereum", forms=_EVM),
    Network(id="BSC", name="BNB Smart Chain", forms=_EVM),
    Network(id="POLYGON", name="Polygon", forms=_EVM),
    Network(id="ARBITRUM", name="Arbitrum One", forms=_EVM),
    Network(id="OPTIMISM", name="Optimism", forms=_EVM),
    Network(id="BASE", name="Base", forms=_EVM),
    Network(id="AVALANCHE", name="Avalanche C-Chain", forms=_EVM),
    Network(id="ETC", name="Ethereum Classic", forms=_EVM),
    Network(
        id="TRX",
        name="Tron",
        forms=(Base58Form(version=0x41, firsts="T"),),
        refused=((TronHexForm(), "it is in hexadecimal, where no checksum would tell of a mistake; pass the form T…"),),
    ),
    Network(
        id="XRP",
        name="XRP Ledger",
        forms=(Base58Form(version=0x00, firsts="r", alphabet=base58.RIPPLE),),
        refused=(
            (
                XAddressForm(),
                _TAGGED_XRP,
            ),
        ),
    ),
    Network(id="SOL", name="Solana", forms=(SolanaForm(),)),
)

NETWORKS: Final[Mapping[str, Network]] = {network.id: network for network in _NETWORKS}

ALIASES: Final[Mapping[str, str]] = {
    "ERC20": "ETH",
    "BEP20": "BSC",
    "MATIC": "POLYGON",
    "POL": "POLYGON",
    "TRC20": "TRX",
    "TRON": "TRX",
    "SPL": "SOL",
}
"""What services call some of the networks."""
