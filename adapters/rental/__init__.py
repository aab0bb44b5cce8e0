"""Renting phone numbers from several shops, of which each rental takes the best."""

from understudy.adapters.rental.free_price import FreePrice
from understudy.adapters.rental.operations import CANCEL, CODE, FINISH, RENT, RENTALS
from understudy.adapters.rental.rental import Rental
from understudy.adapters.rental.renting import rent_number_with_failover
from understudy.adapters.rental.sms_activate import SmsActivate

__all__ = [
    "CANCEL",
    "CODE",
    "FINISH",
    "RENT",
    "RENTALS",
    "FreePrice",
    "Rental",
    "SmsActivate",
    "rent_number_with_failover",
]
