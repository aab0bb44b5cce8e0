"""A named check: what it looks at, over which time, and the function that looks."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from understudy.adapters.cli.symptoms.case import Case


class Found(NamedTuple):
    """Something worth thinking about, and what to do about it: a command to type, as a rule."""

    says: str
    do: str


class Check(NamedTuple):
    """One step of a troubleshooting list.

    Shape:  `looks_at` completes "looks at …"; `over` is the window: `day` (or since `--since`), `week` (the same),
            `latest` (the last events), or `now`.
    """

    step: str
    looks_at: str
    over: str
    look: Callable[[Case], Iterator[Found]]


class Symptom(NamedTuple):
    """What somebody complains about, and the checks that find out why, in order; the name begins that of each check."""

    name: str
    title: str
    checks: tuple[Check, ...]
