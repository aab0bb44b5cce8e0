"""Keeping secrets out of messages: an API key must not get into an error, and so not into the log."""

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote, quote_plus

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
_REDACTED: Final = "[redacted]"


class Secrets:
    """Values that no message may show, in whatever form a URL or a header gives them."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values = frozenset(values)
        forms = {form for value in self._values for form in _forms(value) if len(form) >= _SHORTEST}
        self._longest_first = sorted(forms, key=lambda form: (-len(form), form))

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
        for form in self._longest_first:
            text = text.replace(form, _REDACTED)
        return text

    def cleaned(self, error: ProviderError, *, before: str = "") -> ProviderError:
        """The error anew, its words cleaned and with some put before them; nothing of what led to it hangs on it."""
        message = self.hide(before + error.message)
        clean = type(error).__new__(type(error), message)  # An adapter's subclass may be built from something else.
        clean.__dict__.update(error.__dict__)
        clean.args, clean.message = (message,), message
        clean.code = None if error.code is None else self.hide(error.code)
        return clean


def _forms(value: str) -> Iterable[str]:
    """A value as it may turn up: alone, behind its scheme (`Bearer …`), or escaped for a URL."""
    for one in {value, value.rpartition(" ")[2]}:
        yield from (one, quote(one, safe=""), quote_plus(one))
