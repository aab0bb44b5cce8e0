"""`understudy policy check`: is this policy file right, or a converter's, and what does it come to?"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import click
from pydantic_core import to_jsonable_python

from understudy.adapters.cli.exits import FINE, NOT_AS_IT_SHOULD_BE
from understudy.adapters.cli.files import readable_once
from understudy.adapters.cli.logs import as_json
from understudy.adapters.cli.output import answer, answer_json, note, painted, table
from understudy.adapters.cli.policy_warnings import advice, warnings
from understudy.adapters.config import DEFAULT, LoadedPolicy, PolicyFileError, policy_in
from understudy.adapters.config_files import read_values
from understudy.adapters.config_schema import settings
from understudy.adapters.conversion.files import is_of_a_converter, settings_in
from understudy.events.policy import Fees, Policy, ProviderSettings

_POLICY: Final = "the policy"
_CONVERTER: Final = "the converter's settings (multiService)"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def policy() -> None:
    """Check policy files."""


@policy.command()
@click.argument("file", type=click.Path(path_type=Path))
@as_json
@click.pass_context
def check(ctx: click.Context, file: Path, *, as_json: bool) -> None:
    """Check the policy in FILE (TOML or JSON), and show what it comes to: every setting, and where it comes from.

    FILE may be - for standard input. Variables of the environment named UNDERSTUDY_... take the place of what FILE
    says. Everything that is wrong is told at once; what is only odd is a warning, what experience says is advice.

    A file with the table multiService is a converter's: then that table is checked, and nothing else in FILE. The
    descriptions of services that it names are not read.

    \b
    Example:
      understudy policy check policy.toml
      UNDERSTUDY_MAX_FAILURES=5 understudy policy check policy.toml --json

    \b
    Exit codes: 0 it can be used (there may be warnings and advice);
                1 it cannot;
                2 wrong usage, or FILE cannot be read.
    """
    file = readable_once(file)
    subject = _POLICY
    try:
        values = read_values(file)
        subject = _CONVERTER if is_of_a_converter(values) else _POLICY
        told = _converter(file, values) if subject == _CONVERTER else _policy(file, values)
    except PolicyFileError as error:
        _refuse(file, error, subject, as_json=as_json)
        ctx.exit(NOT_AS_IT_SHOULD_BE)
    loaded = told.loaded
    odd, better = [*_nothing_said(file, loaded), *warnings(loaded.policy)], list(advice(loaded.policy))
    if as_json:
        answer_json({**_as_json(file, loaded, odd, better), "converter": told.own})
        ctx.exit(FINE)
    _print(file, told)
    for one in odd:
        note(f"{painted('warning:', 'yellow')} {one}")
    for one in better:
        note(f"{painted('advice:', 'cyan')} {one}")
    count = len(odd) + len(better)
    note(f"{file}: {subject} can be used{f'; {count} to think about' if count else ''}")


@dataclass(frozen=True, slots=True)
class _Told:
    """What a file comes to: a policy, and what is a converter's alone; None of no converter."""

    loaded: LoadedPolicy
    own: Mapping[str, Any] | None = None


def _policy(file: Path, values: Mapping[str, object]) -> _Told:
    """What a policy file comes to. Errors: PolicyFileError."""
    return _Told(policy_in(values, source=str(file), environment=os.environ))


def _converter(file: Path, values: Mapping[str, object]) -> _Told:
    """What a converter's file comes to. Errors: SettingsError."""
    found = settings_in(values, file, environment=os.environ)
    loaded = LoadedPolicy(policy=found.policy, provenance=found.provenance, alerts=found.alerts, archive=found.archive)
    return _Told(loaded, {"enabled": found.enabled, "secrets": found.secrets, "apis": dict(found.apis)})


def _nothing_said(file: Path, loaded: LoadedPolicy) -> Iterator[str]:
    """A file that says nothing is hardly meant as a policy."""
    if loaded.blank:
        from_elsewhere = any(source != DEFAULT for source in loaded.provenance.values())
        rest = "but for what the environment says, " if from_elsewhere else ""
        yield f"{file} sets nothing: {rest}everything is as by default"


def _refuse(file: Path, error: PolicyFileError, subject: str, *, as_json: bool) -> None:
    if as_json:
        faults = [asdict(fault) for fault in error.faults]
        answer_json({"file": str(file), "valid": False, "errors": faults, "warnings": [], "advice": []})
        return
    for fault in error.faults:
        note(f"{painted('error:', 'red')} {fault}")
    count = len(error.faults)
    at_fault = file if any(fault.source == str(file) for fault in error.faults) else "the environment"
    note(f"{at_fault}: {subject} cannot be used; {count} {'thing is' if count == 1 else 'things are'} wrong")


def _as_json(file: Path, loaded: LoadedPolicy, odd: list[str], better: list[str]) -> dict[str, object]:
    return {
        "file": str(file),
        "valid": True,
        "errors": [],
        "warnings": odd,
        "advice": better,
        "policy": to_jsonable_python(loaded.policy),
        "provenance": dict(loaded.provenance),
        **_tables(loaded),
        "policy_hash": loaded.policy.content_hash,
    }


def _print(file: Path, told: _Told) -> None:
    """Every setting and where it comes from; of providers what is set."""
    rows = [*_rows_of_a_converter(file, told.own or {}), *_rows(told.loaded), *_rows_of_tables(file, told.loaded)]
    table(("setting", "value", "from"), rows)
    answer()


def _rows(loaded: LoadedPolicy) -> Iterator[list[str]]:
    for name in settings(Policy):
        if name != "providers":
            yield [name, _shown(getattr(loaded.policy, name)), loaded.provenance[name]]
    for one in loaded.policy.providers:
        for name in settings(ProviderSettings):
            key = f"providers.{one.id}.{name}"
            if name != "id" and key in loaded.provenance:
                yield [key, _shown(getattr(one, name)), loaded.provenance[key]]
        if not any(key.startswith(f"providers.{one.id}.") and not key.endswith(".id") for key in loaded.provenance):
            yield [f"providers.{one.id}", "", DEFAULT]


def _rows_of_a_converter(file: Path, own: Mapping[str, Any]) -> Iterator[list[str]]:
    """What is a converter's alone, as far as it is not as usual."""
    if own.get("enabled") is False:
        yield ["enabled", "false", str(file)]
    if own.get("secrets"):
        yield ["secrets", _shown(own["secrets"]), str(file)]
    for name, api in own.get("apis", {}).items():
        yield [f"services.{name}.api", api, str(file)]


def _rows_of_tables(file: Path, loaded: LoadedPolicy) -> Iterator[list[str]]:
    """What the file says besides the policy: how people are told, and what is archived."""
    for name, told in _tables(loaded).items():
        for key, value in (told or {}).items():
            if value is not None:
                yield [f"{name}.{key}", value, str(file)]


def _tables(loaded: LoadedPolicy) -> dict[str, dict[str, str | None] | None]:
    alerts, archive = loaded.alerts.told(), loaded.archive
    return {
        "alerts": alerts if any(alerts.values()) else None,
        "archive": None if archive is None else archive.told(),
    }


def _shown(value: object) -> str:
    """A value as a file would have it, a table in one line."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case tuple():
            return ", ".join(map(str, value)) or "none"
        case Decimal():
            return f"{value:f}"
        case Fees():
            return _shown({name: one for name, one in value if name in value.model_fields_set})
        case dict():
            return f"{{ {', '.join(f'{name} = {_shown(one)}' for name, one in value.items())} }}" if value else "{}"
        case _:
            return str(value)
