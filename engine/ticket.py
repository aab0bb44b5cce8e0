"""A request in hand: what its providers are given, and what has been learnt for its caller."""

from typing import TYPE_CHECKING, Final

from understudy.engine.provider import Found, Reply, Request
from understudy.engine.reports import Discretion
from understudy.events.vocabulary import Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from understudy.events.decisions import Candidate, Decision
    from understudy.events.quotes import Quote


_NO_ANSWER: Final = Reply()


class Ticket:
    """Kept while a request is driven; the log has all of it but what is sensitive and the reply as it came."""

    __slots__ = ("answer", "created", "decision", "discretion", "quote", "request", "request_id", "subject")

    def __init__(self, request: Request, discretion: Discretion, subject: str) -> None:
        self.request = request
        self.request_id = request.request_id
        self.discretion = discretion
        self.subject = subject
        self.decision: Decision | None = None
        self.answer: Reply | Found = _NO_ANSWER
        self.quote: Quote | None = None
        """The quote that the latest call was made on."""
        self.created: Reply | None = None
        """What the first of two parts was answered."""

    def candidates(self) -> "Sequence[Candidate]":
        """Those of the latest decision."""
        return self.decision.candidates if self.decision else ()

    def learn(self, answer: Reply | Found) -> None:
        """Keep what the caller will be given."""
        if isinstance(answer, Found) and answer.finding is not Finding.SUCCEEDED:
            return
        self.answer = answer
