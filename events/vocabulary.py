"""The words that events, rules and providers share."""

from enum import IntEnum, StrEnum


class Effect(StrEnum):
    """What repeating an operation would do, and so how far a failure may be papered over."""

    READ = "read"
    """Repeat at will, anywhere."""
    IDEMPOTENT = "idempotent"
    """Safe to repeat at the same provider with the same key."""
    ONCE = "once"
    """Moves money or goods: never asked of another provider until proven absent at the first."""


class FailureKind(StrEnum):
    """How a provider call can fail. Adapters translate into these; the engine knows no others."""

    TRANSIENT = "transient"
    """Surely not executed: refused, unavailable, overloaded."""
    TIMED_OUT = "timed_out"
    """No answer within the call's limit: may have been executed."""
    AMBIGUOUS = "ambiguous"
    """The connection broke after sending, or anything else that may have been executed."""
    INVALID_REPLY = "invalid_reply"
    """An answer that fails validation."""
    RATE_LIMITED = "rate_limited"
    """Too many calls: load, not illness."""
    OUT_OF_STOCK = "out_of_stock"
    NOT_OFFERED = "not_offered"
    TOO_EXPENSIVE = "too_expensive"
    """Not sold at the caller's limit: that says nothing of stock, nor of callers with another limit."""
    INSUFFICIENT_FUNDS = "insufficient_funds"
    MISCONFIGURED = "misconfigured"
    """Our key or account is wrong at this provider: out until fixed."""
    REJECTED = "rejected"
    """The caller's fault: nobody else is asked."""


class ServicePriority(IntEnum):
    """The tiers. The next tier is used only when nobody above it is eligible."""

    PRIMARY = 1
    SECONDARY = 2
    BACKUP = 3
    EMERGENCY = 4

    @classmethod
    def _missing_(cls, value: object) -> "ServicePriority | None":
        """The tier that a word names: `backup`."""
        return cls.__members__.get(value.upper()) if isinstance(value, str) else None


class Strategy(StrEnum):
    """How providers are ordered within a tier."""

    SCORE = "score"
    WEIGHTED = "weighted"
    ROUND_ROBIN = "round_robin"
    LEAST_USED = "least_used"
    FASTEST = "fastest"
    BEST_RATE = "best_rate"
    """By what each would pay out, where quotes are compared; elsewhere by score."""
    CHEAPEST = "cheapest"
    """By what each takes for itself: its fees where quotes are compared, its usual price elsewhere."""
    IN_ORDER = "in_order"


class ForcedState(StrEnum):
    """What an operator may force on a provider."""

    OPEN = "open"
    """Never called."""
    CLOSED = "closed"
    """Called whatever its circuit says."""
    DRAIN = "drain"
    """No new requests; what is under way is finished, look-ups included."""


class Finding(StrEnum):
    """What a look-up found out about an earlier call."""

    SUCCEEDED = "succeeded"
    PENDING = "pending"
    FAILED = "failed"
    ABSENT = "absent"
    """The provider says it knows of no such call; believed only after its `settle_ms`."""
    UNKNOWN = "unknown"


class EndReason(StrEnum):
    """Why a request ended without success, or is held."""

    NO_PROVIDER = "no_provider"
    """Nobody was eligible from the start."""
    EXHAUSTED = "exhausted"
    """Everybody eligible was tried and let us down."""
    REJECTED = "rejected"
    """A provider said that the request itself is wrong."""
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    """The caller went away."""
    INTERRUPTED = "interrupted"
    """The engine stopped in the middle; nothing was executed, or nothing that matters."""
    NO_HONEST_QUOTE = "no_honest_quote"
    """There were quotes, and none of them could be trusted: nothing has moved."""
    NOT_EXECUTED = "not_executed"
    """An operator declared that a suspended call had no effect."""


class SuspendReason(StrEnum):
    """Why the outcome of a request is unknown for now."""

    NO_LOOKUP = "no_lookup"
    """The provider cannot be asked what became of the call."""
    UNDECIDED = "undecided"
    """Look-ups gave no answer that settles it before the deadline."""


class AbandonReason(StrEnum):
    """Why we walked away from a call."""

    CANCELLED = "cancelled"
    CRASHED = "crashed"
    NOT_SENT = "not_sent"
    """Its start was not durable in time, so it was never sent: surely not executed."""
    OUT_OF_TIME = "out_of_time"
    """It ran out of the request's time, of which too little had been left for the provider to be blamed."""


class Mode(StrEnum):
    """How the engine as a whole is served."""

    NORMAL = "normal"
    DEGRADED = "degraded"
    EMERGENCY = "emergency"


class Via(StrEnum):
    """How the success of a request became known."""

    CALL = "call"
    LOOKUP = "lookup"
    OPERATOR = "operator"


TENDING = frozenset({"code", "cancel", "finish"})
"""What is asked about something that a provider has already given: read a code, give it back, be done with it."""

SIDE_OPERATIONS = {
    "quote": "quote",
    "stock": "stock",
    "price": "stock",
    "ping": "ping",
    "lookup": "lookup",
    "sync": "sync",
    **dict.fromkeys(sorted(TENDING), "tend"),
}
"""Operations with a lane class of their own; every other operation is of class `serve`."""

FREE_OF_KEY = frozenset({"ping", "quote", "sync"})
"""Operations that may need neither key nor funds: their success says nothing of an account."""

FREE_OF_FUNDS = FREE_OF_KEY | TENDING
"""Operations that cost nothing: their success does not tell that an account has funds again."""


def operation_class(operation: str) -> str:
    """The lane class of an operation: `serve`, or one of the side classes."""
    return SIDE_OPERATIONS.get(operation, "serve")
