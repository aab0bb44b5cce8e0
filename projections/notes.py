"""What operators have noted of providers: the latest notes of each, for people. No decision reads them.

They are a part of the fold so that they outlive their events, which may be archived one day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from understudy.events.desk import NoteAdded
from understudy.events.row import Recorded

if TYPE_CHECKING:
    from understudy.projections.standing import Standing

KEPT: Final = 20
"""Notes that are remembered of each provider; the older ones are in the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One note; `at_us` is when it was written."""

    at_us: int
    actor: str
    text: str


@dataclass(slots=True)
class Notes:
    """The latest notes by provider, the oldest first."""

    by_provider: dict[str, list[Note]] = field(default_factory=dict)

    @classmethod
    def restored(cls, told: Mapping[str, Any]) -> Self:
        """Notes read back from JSON.

        Errors: KeyError, TypeError if they are none.
        """
        return cls({name: [Note(**one) for one in notes] for name, notes in told["by_provider"].items()})

    def added(self, event: NoteAdded, at_us: int) -> None:
        """Somebody has written one more."""
        notes = self.by_provider.setdefault(event.provider, [])
        notes.append(Note(at_us=at_us, actor=event.actor, text=event.text))
        del notes[:-KEPT]

    def of(self, provider: str) -> Sequence[Note]:
        """Those of one provider."""
        return tuple(self.by_provider.get(provider, ()))


def note_added(standing: "Standing", recorded: Recorded, event: NoteAdded) -> None:
    """An operator has noted something."""
    standing.notes.added(event, recorded.at_us)
