"""Keeping secrets out of messages: an API key must not get into an error, and so not into the log."""

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from html import escape
from typing import Final
from urllib.parse import quote

from understudy.engine.errors import ProviderError

_TELLING_HEADER: Final = re.compile(r"auth|key|token|secret|sign|passw|cookie|hmac|credential", re.IGNORECASE)
"""Names under which headers carry secrets."""
_TELLING_FIELD: Final = re.compile(
    r"((api|access|auth|client|private|public)[_-]?)?(key|token|secret|sign|signature|sig|password|auth|hmac|otp)",
    re.IGNORECASE,
)
"""Names under which parameters and form fields do; `sellToken` is none of them."""
_SHORTEST: Final = 4
"""Shorter values are no secrets, and would tear words apart."""
REDACTED: Final = "[redacted]"
"""What stands where a secret stood."""


class Secrets:
    """Values that no message may show, in whatever form a URL, a header, JSON or a page gives them."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values = frozenset(values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._values)} hidden)"

    @cached_property
    def _forms(self) -> re.Pattern[str] | None:
        """What finds them, the longest first, made when it is needed; None if there is nothing to hide."""
        forms = {form for value in self._values for form in _forms(value) if len(form) >= _SHORTEST}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        return re.compile("|".join(map(_in_any_spelling, longest_first))) if forms else None

    def with_headers(self, headers: Mapping[str, str], *, leave: str | None = None) -> "Secrets":
        """These, and the values of headers with a telling name; `leave` is one that only looks like it."""
        plain = (leave or "").lower()
        return self._with(
            value for name, value in headers.items() if _TELLING_HEADER.search(name) and name.lower() != plain
        )

    def with_fields(self, fields: Iterable[tuple[str, str]]) -> "Secrets":
        """These, and the values of parameters or form fields with a telling name."""
        return self._with(value for name, value in fields if _TELLING_FIELD.fullmatch(name))

    def _with(self, values: Iterable[str]) -> "Secrets":
        found = frozenset(values)
        return self if found <= self._values else Secrets(self._values | found)

    def hide(self, text: str) -> str:
        """The text without them."""
        return text if self._forms is None else self._forms.sub(REDACTED, text)

    def cleaned(self, error: ProviderError, *, before: str = "") -> ProviderError:
        """The error anew, its words cleaned and with some put before them; nothing of what led to it hangs on it."""
        message = self.hide(before + error.message)
        clean = type(error).__new__(type(error), message)  # An adapter's subclass may be built from something else.
        clean.__dict__.update(error.__dict__)
        clean.args, clean.message = (message,), message
        clean.code = None if error.code is None else self.hide(error.code)
        return clean


def _forms(value: str) -> Iterator[str]:
    """A value as it may turn up: alone, behind its scheme (`Bearer …`), or in base64."""
    for one in {value, value.rpartition(" ")[2]}:
        yield one
        if len(one) >= _SHORTEST:
            content = one.encode(errors="surrogatepass")
            yield from (encode(content).decode().rstrip("=") for encode in (b64encode, urlsafe_b64encode))


def _in_any_spelling(form: str) -> str:
    """A pattern for a text of which any character may be escaped: for a URL, for JSON, or for HTML."""
    return "".join(map(_spellings, form))


def _spellings(char: str) -> str:
    if char.isascii() and char.isalnum():  # Nobody need escape these, and many a pattern is nothing else.
        return rf"(?:{char}|%(?i:{ord(char):02x}))"
    percent = quote(char, safe="", errors="surrogatepass") if not char.isascii() else f"%{ord(char):02X}"
    units = char.encode("utf-16-be", "surrogatepass").hex()
    in_json = "".join(rf"\\u(?i:{units[place : place + 4]})" for place in range(0, len(units), 4))
    ways = [re.escape(char), f"(?i:{percent})", in_json, f"&#0*{ord(char)};", f"&#x0*(?i:{ord(char):x});"]
    ways += [rf"\\{re.escape(char)}"] if char in '"\\/' else []
    ways += [r"\+"] if char == " " else []
    ways += [re.escape(escape(char))] if escape(char) != char else []
    return f"(?:{'|'.join(sorted(ways, key=len, reverse=True))})"
