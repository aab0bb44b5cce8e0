"""Putting a request into HTTP: address, query, headers and body, checked before anything is sent."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

from multidict import CIMultiDict
from pydantic_core import to_json
from yarl import URL

from understudy.adapters.providers.http_messages import Outgoing

_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What would end a header, and begin another one."""
_PATH_SAFE: Final = "/?%:@!$&'()*+,;=-._~[]"
"""What a path may hold, a query and percent-encoded characters included."""


def compose(
    method: str,
    address: str,
    *,
    headers: Mapping[str, str],
    params: Mapping[str, object] | None = None,
    json: object = None,
    form: Mapping[str, object] | None = None,
) -> Outgoing:
    """A request, not yet signed. What is None among `params` and `form` is left out; bytes as `json` are JSON already.

    Errors: ValueError or TypeError for what cannot be put into JSON.
    """
    all_headers = CIMultiDict(headers)
    body = b""
    if json is not None:
        body, kind = json if isinstance(json, bytes) else to_json(json), "application/json"
        all_headers.setdefault("Content-Type", kind)
    elif form is not None:
        body, kind = urlencode(given(form)).encode(), "application/x-www-form-urlencoded"
        all_headers.setdefault("Content-Type", kind)
    url = quote(address, safe=_PATH_SAFE)
    query = urlencode(given(params or {}))
    if query:
        url += ("&" if "?" in url else "?") + query
    return Outgoing(method=method.upper(), url=url, headers=all_headers, body=body)


def layered(*layers: Mapping[str, str]) -> Mapping[str, str]:
    """Headers of which later ones replace earlier ones, however they are spelt."""
    headers: CIMultiDict[str] = CIMultiDict()
    for layer in layers:
        headers.update(layer)
    return headers


def given(fields: Mapping[str, object] | None) -> dict[str, str]:
    """Those of some fields that have a value, as text."""
    return {name: str(value) for name, value in (fields or {}).items() if value is not None}


def checked_url(base_url: str, provider: str) -> str:
    """An address that paths can be put behind; ValueError for any other. It is not repeated: it may hold a key."""
    flaw = flaw_of_url(base_url)
    if flaw is not None:
        raise ValueError(f"provider {provider!r}: base_url {flaw}")
    return str(URL(base_url)).rstrip("/")


def flaw_of_url(base_url: str) -> str | None:
    """What keeps an address from being one that paths can be put behind; None if nothing does."""
    try:
        url = URL(base_url)
    except (TypeError, ValueError):
        url = URL()
    if url.scheme not in {"http", "https"} or not url.host:
        return "must be an address like 'https://api.example.com/v1'"
    if url.user is not None or url.password is not None or url.query_string or url.fragment:
        return "must be an address without user, query and fragment; keys go into headers"
    return None


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse what is no header, by its name; ValueError. A key that was read from a file often ends in a line break."""
    for name, value in headers.items():
        if not isinstance(value, str) or _FORBIDDEN.search(value) or _FORBIDDEN.search(name):  # type: ignore[redundant-expr]
            raise ValueError(f"header {name!r} must be text on one line; is there a line break at the end of a key?")
