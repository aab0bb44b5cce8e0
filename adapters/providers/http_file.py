"""A whole file of described providers, TOML or JSON: `[providers.NAME]` tables."""

import ssl
from pathlib import Path
from typing import Final

from understudy.adapters.config_faults import Fault, PolicyFileError
from understudy.adapters.config_files import read_values
from understudy.adapters.providers.credentials import Credentials
from understudy.adapters.providers.description_faults import DescriptionError, described_by
from understudy.adapters.providers.http_api import HttpApi
from understudy.adapters.providers.http_description import ApiDescription
from understudy.events.names import did_you_mean

_PROVIDERS: Final = "providers"


def load_providers(path: Path, *, credentials: Credentials, tls: ssl.SSLContext | None = None) -> list[HttpApi]:
    """The providers that a file describes, in its order, for `Engine(providers=…)`. Nothing is opened yet.

    Errors: DescriptionError with everything that is wrong in the file, or, if nothing is, with the credentials.
    """
    return _made(load_descriptions(path), credentials, tls)


def load_descriptions(path: Path) -> list[ApiDescription]:
    """The descriptions in a file, checked, without their secrets.

    Errors: DescriptionError with all that is wrong; each fault names the file, the table and the key.
    """
    tables, faults = _tables(path)
    found = []
    for name, values in tables.items():
        try:
            found.append(_described(name, values, source=str(path)))
        except DescriptionError as error:
            faults += error.faults
    if faults:
        raise DescriptionError(faults)
    return found


def _made(descriptions: list[ApiDescription], credentials: Credentials, tls: ssl.SSLContext | None) -> list[HttpApi]:
    made, faults = [], list[Fault]()
    for one in descriptions:
        try:
            made.append(HttpApi(one, credentials=credentials, tls=tls))
        except DescriptionError as error:
            faults += error.faults
    if faults:
        raise DescriptionError(faults)
    return made


def _tables(path: Path) -> tuple[dict[str, object], list[Fault]]:
    """The tables by name, and what is wrong around them."""
    source = str(path)
    try:
        values = read_values(path)
    except PolicyFileError as error:
        raise DescriptionError(error.faults) from None
    faults = [
        Fault(source=source, where=key, what=f"is unknown{did_you_mean(key, [_PROVIDERS])}")
        for key in values
        if key != _PROVIDERS
    ]
    tables = values.get(_PROVIDERS)
    if not isinstance(tables, dict) or not tables:
        faults.append(
            Fault(source=source, where=_PROVIDERS, what="must be a table of providers by name, and not empty")
        )
        return {}, faults
    return tables, faults


def _described(name: str, values: object, *, source: str) -> ApiDescription:
    table = f"{_PROVIDERS}.{name}"
    if not isinstance(values, dict):
        raise DescriptionError([Fault(source=source, where=table, what="must be a table that describes a provider")])
    if values.get("id", name) != name:
        raise DescriptionError([Fault(source=source, where=f"{table}.id", what=f"must be {name!r}, or be left out")])
    return described_by({**values, "id": name}, source=source, table=table)
