"""What can go wrong with a call, and who deals with it.

UnderstudyError (events.errors)
├─ ProviderError       a provider let us down; one class for each failure kind   → the engine
├─ RequestError        a request ended without an answer                         → the caller
│  ├─ NoProviderAvailable   nobody was eligible; carries the vetoes
│  ├─ NoHonestQuote         there were quotes, and none to trust; nothing has moved
│  ├─ AllProvidersFailed    everybody eligible was tried; surely no effect
│  ├─ RequestRejected       a provider says that the request itself is wrong
│  ├─ DeadlineExceeded      time ran out between calls; surely no effect
│  ├─ RequestInterrupted    the engine stopped, or an operator or look-up found it not executed
│  └─ OutcomeUnknown        it may have been executed; looked up or held, see `request_id`
├─ KeyConflict         an idempotency key was used before for another request    → the caller
├─ InvalidRequest      the arguments of a call are wrong; nothing has happened    → the caller
└─ EngineClosed        the engine is not running                                 → the caller

A bug is not on the tree: `BrokenRule` is an AssertionError, and stops the request loudly.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from understudy.events.errors import UnderstudyError
from understudy.events.vocabulary import FailureKind

if TYPE_CHECKING:
    from understudy.events.decisions import Candidate


class BrokenRule(AssertionError):
    """The rules contradict themselves: a bug of ours."""


class ProviderError(UnderstudyError):
    """A provider call failed. Raise one of the subclasses.

    Shape:  `code` is the provider's own error code, `network` tells that it failed between us and them.
    Units:  `retry_after_ms` is a length, as the provider asked for.
    """

    kind: ClassVar[FailureKind]

    def __init__(
        self,
        message: str = "",
        *,
        code: str | int | None = None,
        retry_after_ms: int | None = None,
        network: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = str(message)  # Adapters write `raise Ambiguous(error) from error`.
        self.code = None if code is None else str(code)
        is_length = isinstance(retry_after_ms, int | float) and math.isfinite(retry_after_ms)
        self.retry_after_ms = retry_after_ms if is_length else None
        self.network = bool(network)


class Transient(ProviderError):
    """Surely not executed: refused, unavailable, overloaded."""

    kind = FailureKind.TRANSIENT


class TimedOut(ProviderError):
    """No answer in time; may have been executed."""

    kind = FailureKind.TIMED_OUT


class Ambiguous(ProviderError):
    """May have been executed, for instance when the connection broke after sending."""

    kind = FailureKind.AMBIGUOUS


class InvalidReply(ProviderError):
    """An answer came, and fails validation."""

    kind = FailureKind.INVALID_REPLY


class RateLimited(ProviderError):
    """Too many calls; `retry_after_ms` if the provider told."""

    kind = FailureKind.RATE_LIMITED


class OutOfStock(ProviderError):
    """Offered there, but none left now."""

    kind = FailureKind.OUT_OF_STOCK


class NotOffered(ProviderError):
    """This provider does not do that."""

    kind = FailureKind.NOT_OFFERED


class TooExpensive(ProviderError):
    """Not sold at the price that the caller pays at most."""

    kind = FailureKind.TOO_EXPENSIVE


class InsufficientFunds(ProviderError):
    """Our account at the provider is empty."""

    kind = FailureKind.INSUFFICIENT_FUNDS


class Misconfigured(ProviderError):
    """Our key or account at the provider is wrong."""

    kind = FailureKind.MISCONFIGURED


class Rejected(ProviderError):
    """The caller's request itself is wrong: nobody else will be asked."""

    kind = FailureKind.REJECTED


class RequestError(UnderstudyError):
    """A request ended without an answer. `request_id` finds its story in the log."""

    def __init__(self, message: str, *, request_id: str) -> None:
        super().__init__(message)
        self.request_id = request_id


class NoProviderAvailable(RequestError):
    """Nobody was eligible. `vetoes` says why, by provider.

    Units:  `until_us` is when the first of the vetoes ends (microseconds since 1970, UTC); None if none has an end.
    """

    def __init__(
        self, message: str, *, request_id: str, vetoes: Mapping[str, str], until_us: int | None = None
    ) -> None:
        super().__init__(message, request_id=request_id)
        self.vetoes = dict(vetoes)
        self.until_us = until_us


class NoHonestQuote(RequestError):
    """Quotes came, and none of them can be trusted: nothing has moved, and a person must look.

    Shape:  `candidates` are those of the decision, each with its verdict and quote; the message tells them in lines.
    """

    def __init__(self, message: str, *, request_id: str, candidates: "Sequence[Candidate]") -> None:
        super().__init__(message, request_id=request_id)
        self.candidates = tuple(candidates)


class AllProvidersFailed(RequestError):
    """Everybody eligible was tried in vain; surely no effect is left behind."""


class RequestRejected(RequestError):
    """A provider says that the request itself is wrong."""


class DeadlineExceeded(RequestError):
    """The request's time ran out; surely no effect is left behind."""


class RequestInterrupted(RequestError):
    """The request was given up: engine stopped, or found not to have been executed after all."""


class OutcomeUnknown(RequestError):
    """The request may have been executed: ask the log by `request_id`, never ask elsewhere.

    It is being looked up; where its provider has no look-up, the message says how an operator settles it.
    """


class KeyConflict(UnderstudyError):
    """An idempotency key was used before with another request."""


class InvalidRequest(UnderstudyError):
    """The arguments of a call are wrong; nothing has happened."""


class EngineClosed(UnderstudyError):
    """The engine is not running: use it inside `async with engine:`."""
