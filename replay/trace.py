"""Recorded traffic as a file: what every provider answered to the same requests, one slot a request.

CSV, plain or gzipped, with the columns `slot,at_s,provider,ok,latency_ms,failure` in any order. The rows of a slot
stand together; `at_s` (seconds since any origin) is that of its first row. `ok` is 1 or 0; `failure` names one of our
failure kinds, and is empty for a success; a failure that names none counts as `transient`. A provider without a row in
a slot does not offer what the slot asks for: it answers `not_offered` at once, which says nothing about its health.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from understudy.events.vocabulary import FailureKind
from understudy.replay.csv_file import TraceError, number_in, provider_in, read_columns, wrong

COLUMNS: Final = ("slot", "at_s", "provider", "ok", "latency_ms", "failure")
_YES: Final = {"1": True, "true": True, "0": False, "false": False}
_LONGEST_LATENCY_MS: Final = 10_000_000.0


class Outcome(NamedTuple):
    """What a provider answered: `failure` None for a success."""

    latency_us: int
    failure: FailureKind | None


class Slot(NamedTuple):
    """One request, and what each provider would have answered to it."""

    name: str
    at_us: int
    outcomes: Mapping[str, Outcome]


class _Line(NamedTuple):
    number: int
    slot: str
    at_us: int
    provider: str
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What must be known of a trace before it is played: who is in it, in order of first appearance, and its extent."""

    providers: tuple[str, ...]
    slots: int
    first_at_us: int
    longest_us: int


def outline(path: Path) -> Outline:
    """Read a trace once, to check it and to learn who is in it.

    Errors: TraceError.
    """
    providers: dict[str, None] = {}
    slots, first_at_us, longest_us = 0, 0, 0
    for slot in read_trace(path):
        if slots == 0:
            first_at_us = slot.at_us
        slots += 1
        providers.update(dict.fromkeys(slot.outcomes))
        longest_us = max(longest_us, *(one.latency_us for one in slot.outcomes.values()))
    if slots == 0:
        raise TraceError(f"{path}: there is no slot in this trace")
    return Outline(providers=tuple(providers), slots=slots, first_at_us=first_at_us, longest_us=longest_us)


def read_trace(path: Path) -> Iterator[Slot]:
    """The slots of a trace, one at a time, in the order of the file.

    Errors: TraceError naming file and line.
    """
    seen: set[str] = set()
    slot: str | None = None
    at_us = 0
    outcomes: dict[str, Outcome] = {}
    for number, values in read_columns(path, COLUMNS, what="a trace"):
        line = _line(path, number, values)
        if line.slot != slot:
            if slot is not None:
                yield Slot(slot, at_us, outcomes)
            if line.slot in seen:
                raise wrong(path, line.number, f"slot {line.slot!r} has ended before; its rows must stand together")
            seen.add(line.slot)
            slot, at_us, outcomes = line.slot, line.at_us, {}
        if line.provider in outcomes:
            raise wrong(path, line.number, f"{line.provider!r} has a row in slot {line.slot!r} already")
        outcomes[line.provider] = line.outcome
    if slot is not None:
        yield Slot(slot, at_us, outcomes)


def _line(path: Path, number: int, values: list[str]) -> _Line:
    slot, at_s, provider, ok, latency_ms, failure = values
    if ok.lower() not in _YES:
        raise wrong(path, number, f"ok is {ok!r}; it must be 1 or 0")
    if not slot:
        raise wrong(path, number, "the slot is empty")
    provider = provider_in(path, number, provider)
    latency = number_in(path, number, "latency_ms", latency_ms)
    if not 0 <= latency <= _LONGEST_LATENCY_MS:
        raise wrong(path, number, f"latency_ms is {latency_ms}; it must be from 0 to {_LONGEST_LATENCY_MS:.0f}")
    at_us = round(number_in(path, number, "at_s", at_s) * 1_000_000)
    kind = _kind(path, number, failure, ok=_YES[ok.lower()])
    return _Line(number, slot, at_us, provider, Outcome(round(latency * 1000), kind))


def _kind(path: Path, number: int, failure: str, *, ok: bool) -> FailureKind | None:
    if ok:
        if failure:
            raise wrong(path, number, f"ok is 1, and yet failure is {failure!r}")
        return None
    try:
        return FailureKind(failure) if failure else FailureKind.TRANSIENT
    except ValueError:
        known = ", ".join(FailureKind)
        raise wrong(path, number, f"failure {failure!r} is unknown; the kinds are {known}") from None
