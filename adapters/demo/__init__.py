"""Provider servers on loopback ports for demonstrations and tests, and the adapter for them."""

from understudy.adapters.demo.books import Books, Entry, read_books
from understudy.adapters.demo.plan import Act, Fault, Line, Plan, Spell, plan_of
from understudy.adapters.demo.provider_server import ProviderServer
from understudy.adapters.demo.shop import DemoShop

__all__ = [
    "Act",
    "Books",
    "DemoShop",
    "Entry",
    "Fault",
    "Line",
    "Plan",
    "ProviderServer",
    "Spell",
    "plan_of",
    "read_books",
]
