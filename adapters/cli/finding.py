"""What a doctor says of a log: findings, and how much each of them matters."""

from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """How much a finding matters."""

    FINE = "fine"
    ADVICE = "advice"
    """Nothing is wrong, and yet something should be known or done."""
    WRONG = "wrong"


class Finding(NamedTuple):
    """What a check-up found: its name, its verdict, and a sentence; what to do about it, where there is something."""

    check: str
    verdict: Verdict
    says: str
    do: str = ""
