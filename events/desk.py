"""What is put on record beside what operators want done: notes on providers, what was erased, what made no sense."""

from typing import ClassVar

from understudy.events.fact import Fact
from understudy.events.record import record


@record(kw_only=True)
class NoteAdded(Fact):
    """An operator noted a peculiarity of a provider, for whoever looks at it later. No decision reads it."""

    kind: ClassVar[str] = "note_added.v1"
    provider: str
    text: str
    actor: str


@record(kw_only=True)
class SubjectForgotten(Fact):
    """Sensitive values were erased from the side table: what the events say in their place means nothing any more.

    Shape:  `subject` is the salted hash of what was named (a value, or whose values they were), or the id of a request;
            never the value itself. `values` is how many were erased.
    Source: `engine.commands`, in the transaction that erases them.
    """

    kind: ClassVar[str] = "subject_forgotten.v1"
    subject: str
    values: int
    actor: str
    reason: str


@record(kw_only=True)
class CommandRefused(Fact):
    """A command of the inbox made no sense, and whoever put it there waits for the answer: nobody else is told.

    Shape:  `command_id` is its number in the inbox, `message` says in a sentence why not.
    """

    kind: ClassVar[str] = "command_refused.v1"
    command_id: int
    message: str
    actor: str
