"""What is wrong with a policy, said so that it can be put right: where, what, and what would do instead."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Final

from understudy.events.errors import UnderstudyError

_LONGEST_SHOWN: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a value comes from.

    Shape:  `source` is a file, or an environment variable; `label` names the value there as its author spelt it.
    """

    source: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong. `where` is the value as its author spelt it, with its file or variable in `source`."""

    source: str
    where: str
    what: str

    def __str__(self) -> str:
        place = self.where if self.where == self.source else f"{self.source}: {self.where}".rstrip(": ")
        return f"{place} {self.what}" if self.where else f"{place}: {self.what}"


class PolicyFileError(UnderstudyError):
    """A policy cannot be used; `faults` has everything that is wrong with it, and the message says it, a line each."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


def fault_at(origin: Origin, what: str) -> Fault:
    """A fault of the value from there."""
    return Fault(source=origin.source, where=origin.label, what=what)


def shown(value: object) -> str:
    """A value as a file would have it, cut where it gets long."""
    match value:
        case bool():
            text = str(value).lower()
        case Decimal():
            text = str(value)
        case dict():
            text = "a table"
        case None:
            text = "null"
        case time() | date():
            text = value.isoformat()
        case _:
            text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


@contextmanager
def together() -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Around several attempts, each in a `with` of its own: in the end it raises all that any of them found wrong.

    Errors: PolicyFileError.
    """
    faults: list[Fault] = []

    @contextmanager
    def attempt() -> Iterator[None]:
        try:
            yield
        except PolicyFileError as error:
            faults.extend(error.faults)

    yield attempt
    if faults:
        raise PolicyFileError(faults)
