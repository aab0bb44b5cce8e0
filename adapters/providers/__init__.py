"""Providers that call somebody: the base that every adapter to an HTTP API shares."""

from understudy.adapters.providers.http_exchange import HttpLimits
from understudy.adapters.providers.http_messages import Expect, HttpReply, Outgoing
from understudy.adapters.providers.http_provider import HttpProvider

__all__ = ["Expect", "HttpLimits", "HttpProvider", "HttpReply", "Outgoing"]
