"""How people spell a setting: kebab-case, camelCase and snake_case alike, the documents' names, and near misses."""

import re
from collections.abc import Collection
from difflib import get_close_matches
from typing import Final

ALIASES: Final = {
    "auto_failover": "fallback_enabled",
    "load_balancing": "strategy",
    "max_service_failures": "max_failures",
    "recovery_time": "recovery_time_ms",
    "request_timeout": "request_timeout_ms",
    "service_recovery_time": "recovery_time_ms",
    "services": "providers",
}
"""Names that the users' documents give to settings of ours; their times are in milliseconds too."""

_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NOT_A_WORD: Final = re.compile(r"[^A-Za-z0-9]")


def snake_case(name: str) -> str:
    """A name with its words in lower case and underscores between them: `maxFailures` is `max_failures`."""
    return _HUMP.sub("_", name.strip()).replace("-", "_").replace(" ", "_").lower()


def setting(name: str, *, known: Collection[str]) -> str | None:
    """Which of the known settings a name means, None if it means none of them."""
    plain = snake_case(name)
    found = plain if plain in known else ALIASES.get(plain)
    return found if found in known else None


def nearest(word: str, known: Collection[str]) -> str | None:
    """The known word that was most likely meant, None if none is near."""
    found = _closest(word, known)
    return None if found is None else ALIASES.get(found, found)


def did_you_mean(word: str, known: Collection[str]) -> str:
    """The question to ask about a misspelt word, with its leading semicolon; nothing if no known word is near."""
    return _asked(nearest(word, known))


def did_you_mean_setting(word: str, known: Collection[str]) -> str:
    """The same about a name that is read in every spelling: asked in the writer's own, `maxServiceFailures` as well."""
    found = _closest(word, known)
    if found is None:
        return ""
    if "-" in word:
        return _asked(found.replace("_", "-"))
    if _HUMP.search(word):
        first, *others = found.split("_")
        return _asked(first + "".join(one.capitalize() for one in others))
    ours = ALIASES.get(found, found)
    return _asked(ours if ours.startswith(found) else found)  # With the unit, if that alone is lacking.


def _closest(word: str, known: Collection[str]) -> str | None:
    """The known word, or another name of one, that is the nearest."""
    names = {name.lower(): name for name in (*known, *(alias for alias in ALIASES if ALIASES[alias] in known))}
    plain = snake_case(word)
    close = get_close_matches(plain, names, n=1, cutoff=0.6) or [name for name in names if plain in name.split("_")]
    return names[close[0]] if close and plain else None


def _asked(meant: str | None) -> str:
    return f"; did you mean {meant!r}?" if meant else ""


def variable_part(name: str) -> str:
    """A provider's id as it stands in the name of an environment variable: `sms-activate` is `SMS_ACTIVATE`."""
    return _NOT_A_WORD.sub("_", name).upper()
