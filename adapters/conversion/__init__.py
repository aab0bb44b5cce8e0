"""Conversions of coins through several services: the best honest quote, and money that never moves twice.

What a conversion is to do (coins, amounts, addresses) is checked here too, before anything is sent.
"""

from understudy.adapters.conversion.addresses import InvalidAddress, check_address, checked_tag, network_of
from understudy.adapters.conversion.coins import COINS, Coin, CoinKind, checked_amount, coin, pair
from understudy.adapters.conversion.conversion import Conversion, Offer
from understudy.adapters.conversion.converter import CONVERT, MultiServiceConverter
from understudy.adapters.conversion.figures import Stats
from understudy.adapters.conversion.files import USUAL_FILE, read_settings
from understudy.adapters.conversion.networks import NETWORKS, Network, Testnet
from understudy.adapters.conversion.notices import NOTICES, Notice
from understudy.adapters.conversion.settings import ConverterSettings, SettingsError, settings_from
from understudy.adapters.conversion.xrp import XrpAccount, decode_x_address
from understudy.events.vocabulary import ServicePriority

__all__ = [
    "COINS",
    "CONVERT",
    "NETWORKS",
    "NOTICES",
    "USUAL_FILE",
    "Coin",
    "CoinKind",
    "Conversion",
    "ConverterSettings",
    "InvalidAddress",
    "MultiServiceConverter",
    "Network",
    "Notice",
    "Offer",
    "ServicePriority",
    "SettingsError",
    "Stats",
    "Testnet",
    "XrpAccount",
    "check_address",
    "checked_amount",
    "checked_tag",
    "coin",
    "decode_x_address",
    "network_of",
    "pair",
    "read_settings",
    "settings_from",
]
