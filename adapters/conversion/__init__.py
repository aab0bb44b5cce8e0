"""What a conversion is checked for before anything is sent: coins, amounts, addresses."""

from understudy.adapters.conversion.addresses import InvalidAddress, check_address, checked_tag, network_of
from understudy.adapters.conversion.coins import COINS, Coin, CoinKind, checked_amount, coin, pair
from understudy.adapters.conversion.networks import NETWORKS, Network, Testnet
from understudy.adapters.conversion.xrp import XrpAccount, decode_x_address

__all__ = [
    "COINS",
    "NETWORKS",
    "Coin",
    "CoinKind",
    "InvalidAddress",
    "Network",
    "Testnet",
    "XrpAccount",
    "check_address",
    "checked_amount",
    "checked_tag",
    "coin",
    "decode_x_address",
    "network_of",
    "pair",
]
