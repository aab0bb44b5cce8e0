"""A file of settings, in which a product keeps other things, too: the converter's stand under `multiService`."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from understudy.adapters.alerts.delivery import alert_delivery
from understudy.adapters.config_faults import Fault, PolicyFileError
from understudy.adapters.config_files import read_values
from understudy.adapters.conversion.lines import with_lines
from understudy.adapters.conversion.settings import ConverterSettings, SettingsError, settings_from
from understudy.adapters.providers.credentials import Credentials
from understudy.adapters.providers.description_faults import DescriptionError
from understudy.adapters.providers.http_api import HttpApi
from understudy.adapters.providers.http_description import QUOTE, TWO_PARTS, ApiDescription
from understudy.adapters.providers.http_file import load_descriptions
from understudy.engine.alert_channels import AlertDelivery
from understudy.events.names import did_you_mean, nearest, snake_case

USUAL_FILE: Final = Path("config/default.json")
"""Where settings are looked for in the working directory, if no other file is named."""
_TABLE: Final = "multi_service"
_NOBODY: Final = "is lacking or empty: nobody could convert anything; name at least one"
_CONVERT: Final = "convert"


def read_settings(path: Path, *, environment: Mapping[str, str] | None = None) -> ConverterSettings:
    """The settings in a file, JSON (with comments) or TOML; variables `UNDERSTUDY_…` of the environment come before.

    Errors: SettingsError with all that is wrong.
    """
    try:
        values = read_values(path)
    except PolicyFileError as error:
        raise SettingsError(error.faults) from None
    return settings_in(values, path, environment=environment)


def is_of_a_converter(values: Mapping[str, object]) -> bool:
    """Whether the values of a file have a converter's settings among them."""
    return any(snake_case(key) == _TABLE for key in values)


def settings_in(
    values: Mapping[str, object], path: Path, *, environment: Mapping[str, str] | None = None
) -> ConverterSettings:
    """The settings in the values of a file.

    Errors: SettingsError with all that is wrong.
    """
    source = str(path)
    tables = [key for key in values if snake_case(key) == _TABLE]
    if len(tables) != 1:
        what = f"stands there twice: {' and '.join(tables)}" if tables else f"is lacking{_meant(values)}"
        raise SettingsError([Fault(source=source, where="multiService", what=what)])
    table = values[tables[0]]
    if not isinstance(table, dict):
        raise SettingsError([Fault(source=source, where=tables[0], what="must be an object of settings")])
    try:
        return settings_from(table, source=source, environment=environment)
    except SettingsError as error:
        if path.suffix.lower() != ".json" or not path.is_file():
            raise
        faults = with_lines(error.faults, text=path.read_text(encoding="utf-8-sig"), table=tables[0], values=table)
    raise SettingsError(faults)


def described_services(
    settings: ConverterSettings, *, credentials: Credentials, given: Collection[str]
) -> dict[str, HttpApi]:
    """The services that the settings name files for, by id, without those that are given. Nothing is opened yet.

    Errors: SettingsError for services that are given or named in vain, and for what is wrong with descriptions.
    """
    files = _Descriptions(Path(settings.source).parent)
    wanted = settings.policy.by_id
    made: dict[str, HttpApi] = {}
    if not wanted:
        raise SettingsError([Fault(source=settings.source, where="services", what=_NOBODY)])
    faults = [_fault(settings, one, "is given, and not in the settings") for one in given if one not in wanted]
    for name in wanted:
        if name in given:
            continue
        try:
            made[name] = HttpApi(files.description(name, settings.apis.get(name)), credentials=credentials)
        except _Lacking as error:
            faults.append(_fault(settings, name, str(error)))
        except DescriptionError as error:
            faults += error.faults
    if faults:
        raise SettingsError(list(dict.fromkeys(faults)))
    return made


def told_alerts(settings: ConverterSettings, *, db: str | None, credentials: Credentials | None) -> AlertDelivery:
    """How people are told as the settings say; `db` is the file of the log, `credentials` may keep the secrets.

    Errors: SettingsError for a secret that is not there, and for a page of the day about a log without a file.
    """
    try:
        return alert_delivery(settings.alerts, db=db, credentials=credentials)
    except (LookupError, ValueError) as error:
        raise SettingsError([Fault(source=settings.source, where="", what=str(error))]) from None


class _Lacking(LookupError):
    """Nothing describes a service; the message goes on from its name."""


class _Descriptions:
    """Descriptions by file and id; each file is read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, dict[str, ApiDescription]] = {}

    def description(self, name: str, path: str | None) -> ApiDescription:
        """The description of a service, in its file.

        Errors: DescriptionError if the file cannot be used; _Lacking if it is not there.
        """
        if path is None:
            raise _Lacking('has no "api", the file that describes it, and is not given otherwise')
        if path not in self._files:
            self._files[path] = {one.id: one for one in load_descriptions(self._folder / path)}
        described = self._files[path]
        if name not in described:
            advice = did_you_mean(name, described) or f"; it describes {', '.join(described)}"
            raise _Lacking(f"is not described in {self._folder / path}{advice}")
        _expect_able_to_convert(described[name], self._folder / path)
        return described[name]


def _expect_able_to_convert(described: ApiDescription, path: Path) -> None:
    """Refuse a description without what every conversion needs. Errors: _Lacking, saying what is missing."""
    has = list(described.operations)
    if QUOTE not in has:
        raise _Lacking(f"cannot quote: {path} describes no operation quote of it{_misspelt(QUOTE, has)}")
    if _CONVERT not in has and not TWO_PARTS.issubset(has):
        lacks = f"no operation convert of it, nor create and commit{_misspelt(_CONVERT, has)}"
        raise _Lacking(f"cannot convert: {path} describes {lacks}")


def _misspelt(name: str, has: Collection[str]) -> str:
    near = nearest(name, has)
    return f"; is {near!r} meant to be it?" if near else ""


def _fault(settings: ConverterSettings, name: str, what: str) -> Fault:
    return Fault(source=settings.source, where=f"service {name!r}", what=what)


def _meant(values: Mapping[str, object]) -> str:
    """The key that was probably meant to be the table."""
    near = next((key for key in values if did_you_mean(key, [_TABLE])), None)
    return f"; is {near!r} meant to be it?" if near is not None else "; the converter's settings stand under that key"
