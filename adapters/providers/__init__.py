"""Providers that call somebody: the base that adapters to HTTP APIs share, and providers that are only described."""

from understudy.adapters.providers.credentials import Credentials, EnvironmentCredentials, GivenCredentials
from understudy.adapters.providers.description_faults import DescriptionError
from understudy.adapters.providers.http_api import HttpApi
from understudy.adapters.providers.http_description import ApiDescription
from understudy.adapters.providers.http_exchange import HttpLimits
from understudy.adapters.providers.http_file import load_descriptions, load_providers
from understudy.adapters.providers.http_messages import Expect, HttpReply, Outgoing
from understudy.adapters.providers.http_provider import HttpProvider

__all__ = [
    "ApiDescription",
    "Credentials",
    "DescriptionError",
    "EnvironmentCredentials",
    "Expect",
    "GivenCredentials",
    "HttpApi",
    "HttpLimits",
    "HttpProvider",
    "HttpReply",
    "Outgoing",
    "load_descriptions",
    "load_providers",
]
