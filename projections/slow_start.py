"""After a throttle has ended: one request goes first, then two, four, …, as they are answered.

Everybody who waits for a provider waits for the same instant. Let out all at once, they would run into its limit again,
and be throttled again. A record, no opinion and no timer: `engine.eligibility` asks it how many may be under way.
"""

from dataclasses import dataclass
from typing import Final

CALM_US: Final = 60_000_000
"""Once the limit has not been reached for so long, it is none any more: providers count by the second or the minute."""


@dataclass(slots=True)
class SlowStart:
    """The calls of a provider that began after its throttle had ended, as far as they are under way.

    Shape:  `allowed` may be under way at once: one at first, one more with each answer. So their number doubles each
            time that all have been answered.
    """

    since_us: int
    """When the throttle ends."""
    allowed: int = 1
    under_way: int = 0
    latest_us: int = 0
    """When the latest of them began."""
    full_us: int = 0
    """When as many as allowed were last under way."""

    def over(self, now_us: int) -> bool:
        """Whether the provider is asked so seldom that nothing need be held back any more."""
        return now_us >= max(self.since_us, self.full_us) + CALM_US

    def next_us(self, now_us: int, *, patience_us: int) -> int:
        """When the next call may go out at the latest, if none that is under way ends: at once while there is room."""
        if self.under_way < self.allowed:
            return now_us
        return self.latest_us + patience_us

    def begin(self, at_us: int) -> None:
        """One more call goes out."""
        if at_us < self.since_us:
            return
        self.under_way += 1
        self.latest_us = at_us
        if self.under_way >= self.allowed:
            self.full_us = at_us

    def end(self, started_us: int, *, gained: int) -> None:
        """A call has ended; `gained` is 1 if the provider has answered, 0 if its end says nothing about its limits."""
        if started_us >= self.since_us and self.under_way:
            self.under_way -= 1
            self.allowed += gained
