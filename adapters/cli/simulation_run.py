"""A simulation that is ready to go, be it over a scenario, recorded traffic or recorded quotes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from understudy.adapters.cli.exits import Refused
from understudy.events.policy import Policy
from understudy.replay.simulate import QuoteReport, Report
from understudy.replay.verify import Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What to play, and how to tell of it.

    Shape:  `play` takes the log and the progress; `tell` prints what that returned, and what verifying the log found.
    """

    title: str
    play: Callable[..., Report | QuoteReport]
    tell: Callable[[Any, Verification], None]


class Choose(Protocol):
    """Finds the policy that counts."""

    def __call__(self, *, otherwise: Policy, source: str) -> Policy:
        """The policy that was named, or else this one of the source itself; settings of the environment before it."""


def expect_known(policy: Policy, providers: Sequence[str], *, where: str) -> None:
    """Refuse a policy that is about providers which nobody plays."""
    named = [one.id for one in policy.providers]
    if policy.preferred_provider is not None:
        named.append(policy.preferred_provider)
    for one in named:
        if one not in providers:
            raise Refused(f"the policy names {one!r}, which is not in the {where}; there are {', '.join(providers)}")
