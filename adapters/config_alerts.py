"""The table `[alerts]` of a settings file: how people are told. It is no policy: nothing that is decided depends on it.

When an alert is raised is the policy's (`alert_success_rate` and its like), and stands beside the other settings.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from understudy.adapters.config_faults import Fault, Origin, PolicyFileError, fault_at, shown
from understudy.events.names import did_you_mean_setting, setting

_TIME: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_HOUR_MIN: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """How people are told.

    Shape:  `webhook_url` is a URL, or `$NAME` for a variable of the environment that has it, as it may be a secret
            itself. `webhook_secret` names the variable with the secret that signs.
    Units:  `daily_at_min` are minutes after midnight UTC.
    """

    webhook_url: str | None = None
    webhook_secret: str | None = None
    daily_at_min: int | None = None

    def told(self) -> dict[str, str | None]:
        """What a file says of each, but for a URL that stands in it: that may be a secret."""
        minutes = self.daily_at_min
        is_named = self.webhook_url is None or self.webhook_url.startswith("$")
        return {
            "webhook_url": self.webhook_url if is_named else "(a URL)",
            "webhook_secret": self.webhook_secret,
            "daily_at": None if minutes is None else clock(minutes),
        }

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables of the environment that they name."""
        url = self.webhook_url or ""
        return tuple(one for one in (url[1:] if url.startswith("$") else "", self.webhook_secret or "") if one)


def clock(minutes: int) -> str:
    """A time of day by its minutes after midnight."""
    return f"{minutes // _HOUR_MIN:02}:{minutes % _HOUR_MIN:02}"


def alert_settings(told: object, *, source: str) -> AlertSettings:
    """The settings of the table.

    Errors: PolicyFileError with all that is wrong.
    """
    if told is None:
        return AlertSettings()
    if not isinstance(told, dict):
        raise PolicyFileError([Fault(source=source, where="alerts", what=f"is {shown(told)}; it must be a table")])
    found: dict[str, Any] = {}
    faults = list(_taken(told, found, source=source))
    if ("webhook_url" in found) != ("webhook_secret" in found) and not faults:
        what = "has only one of webhook_url and webhook_secret; they belong together, for every delivery is signed"
        faults.append(Fault(source=source, where="alerts", what=what))
    if faults:
        raise PolicyFileError(faults)
    return AlertSettings(**found)


def _taken(told: Mapping[str, object], found: dict[str, Any], *, source: str) -> Iterator[Fault]:
    for key, value in told.items():
        origin = Origin(source=source, label=f"alerts: {key}")
        name = setting(key, known=_READERS)
        if name is None:
            yield fault_at(origin, f"is unknown{did_you_mean_setting(key, _READERS)}")
            continue
        field, read, allowed = _READERS[name]
        made = read(value) if isinstance(value, str) else None
        if made is None:
            yield fault_at(origin, f"is {shown(value)}; it must be {allowed}")
        else:
            found[field] = made


def _url(text: str) -> str | None:
    return text if re.fullmatch(r"\$\w+|https?://\S+", text) else None


def _name(text: str) -> str | None:
    return text if re.fullmatch(r"\w+", text) else None


def _minutes(text: str) -> int | None:
    match = _TIME.fullmatch(text)
    return None if match is None else int(match[1]) * _HOUR_MIN + int(match[2])


_READERS: Final[Mapping[str, tuple[str, Callable[[str], object], str]]] = {
    "webhook_url": (
        "webhook_url",
        _url,
        "an http or https URL, or $NAME for a variable of the environment that has it",
    ),
    "webhook_secret": ("webhook_secret", _name, "the name of the variable of the environment with the secret"),
    "daily_at": ("daily_at_min", _minutes, 'a time of day in UTC in quotes, like "07:00"'),
}
"""Each setting: the field, what reads it, and what it may be."""
