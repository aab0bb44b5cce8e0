"""Wishes that no decision ever hears of: a note on a provider, and values that are to be forgotten."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from understudy.engine.errors import InvalidRequest
from understudy.engine.ledger import Ledger
from understudy.engine.wish_form import LONGEST, SignedForm, WishForm
from understudy.events.desk import NoteAdded, SubjectForgotten
from understudy.events.log import ForgetSensitive, SideWrite
from understudy.events.sensitive import tokens_in

MOST_VALUES: Final = 1_000
"""Values that one command forgets; for more there are more commands."""

_Token = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
_Whose = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Note(SignedForm):
    """Keep a peculiarity of a provider on record."""

    command: Literal["note"] = "note"
    provider: str
    text: str = Field(min_length=1, max_length=LONGEST)

    @property
    def reason(self) -> str:
        """A note is its own reason."""
        return self.text


class Forget(WishForm):
    """Erase sensitive values: these, as each of these subjects has them.

    Shape:  `subject` is what was named, as `SubjectForgotten` has it; `values` pairs the token of a value with whose it
            is. The value itself is nowhere: a wish goes through the inbox, which is a part of the file.
    """

    command: Literal["forget"] = "forget"
    subject: _Whose
    values: tuple[tuple[_Token, _Whose], ...] = Field(min_length=1, max_length=MOST_VALUES)


def noted(wish: Note) -> NoteAdded:
    """The event of a note."""
    return NoteAdded(provider=wish.provider, text=wish.text, actor=wish.actor)


def forgotten(ledger: Ledger, wish: Forget) -> tuple[SubjectForgotten, SideWrite]:
    """The event that values are forgotten, and what erases them in its transaction.

    Errors: InvalidRequest if a request that has not ended needs one of them: it could not be settled without.
    """
    wanted = {token for token, _ in wish.values}
    for request_id, state in ledger.requests.items():
        accepted = state.progress.accepted
        if wanted & (tokens_in(accepted.body) | tokens_in(accepted.labels)):
            raise InvalidRequest(
                f"request {request_id} has not ended and still needs it; resolve that one, or wait, and forget again"
            )
    event = SubjectForgotten(subject=wish.subject, values=len(set(wish.values)), actor=wish.actor, reason=wish.reason)
    return event, ForgetSensitive(values=wish.values)
