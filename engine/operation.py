"""What callers may ask for: an operation's effect class, and what of it must not be in the log in clear."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches

from understudy.engine.errors import InvalidRequest
from understudy.engine.provider import Reply
from understudy.events.quotes import Quote
from understudy.events.record import record
from understudy.events.vocabulary import Effect


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A kind of request. Declaring it is optional: `Engine.call` takes the effect class as an argument, too.

    Shape:  `sensitive` names the fields of body, reply and labels, at any depth, whose values go into the erasable side
            table; the log holds their salted hashes. `quoted` has providers asked for quotes before one is chosen:
            such a request needs an `amount`, and a `pair` such as "ETH/BTC" in its context. `undone_by` names the
            operation that takes back what this one has done: it is asked of the provider, with the reference as
            `rental_id`, when something was surely done for nobody. `flaw` says what keeps a provider's reply from being
            an answer to such a request, None if nothing does: a reply with a flaw is an `InvalidReply`.
    """

    name: str
    effect: Effect = Effect.READ
    sensitive: frozenset[str] = field(default_factory=frozenset)
    free_to_abandon: bool = False
    deadline_ms: int | None = None
    quoted: bool = False
    undone_by: str | None = None
    flaw: Callable[[Reply], str | None] | None = field(default=None, repr=False, compare=False)
    declared: bool = field(default=True, repr=False)
    """Whether somebody declared it; False for what is made for a name that nobody declared."""

    def __post_init__(self) -> None:
        """Take the plain name of an effect class as well; InvalidRequest for another, and for no set of names."""
        object.__setattr__(self, "effect", effect_named(self.effect))
        if isinstance(self.sensitive, str):  # type: ignore[unreachable] # Every letter of it would be taken for a name.
            raise InvalidRequest(
                f"sensitive={self.sensitive!r} is a text; give the names in a set: {{{self.sensitive!r}}}"
            )
        if self.undone_by is not None and (self.effect is not Effect.ONCE or self.undone_by == self.name):
            raise InvalidRequest(
                f"undone_by={self.undone_by!r} is of no use to {self.name!r}, which is declared as {self.effect}:"
                " what can be undone is declared as once, and undone by another operation"
            )


def check_undoing(operation: Operation, effect: Effect, *, only: str | None, undoes: str | None) -> None:
    """Refuse to have a request undone by what may not be repeated, or by anybody but its provider.

    Errors: InvalidRequest.
    """
    if undoes is not None and (only is None or effect is not Effect.IDEMPOTENT):
        raise InvalidRequest(
            f"{operation.name} undoes a request: it must be idempotent, and asked of its provider only, only=…"
        )


def effect_named(name: Effect | str) -> Effect:
    """An effect class by its name.

    Errors: InvalidRequest, with the names that there are.
    """
    if isinstance(name, Effect):
        return name
    known = [one.value for one in Effect]
    if name not in known:
        near = get_close_matches(str(name), known, n=1)
        raise InvalidRequest(
            f"effect {name!r} is unknown; use {', '.join(known)}" + (f" (did you mean {near[0]!r}?)" if near else "")
        )
    return Effect(name)


@record(kw_only=True)
class Answer:
    """What a caller gets.

    Shape:  `provider` served the request, `reply` is its value; `failovers` counts the changes of provider and
            `attempts` the calls on the way. `via` tells whether the call itself, a look-up or an operator said that
            it succeeded; in the latter cases `reply` is what they knew. `joined` tells that an earlier request under
            the same key was it. `cost` is what the provider charges, in its own unit, if it told; `quote` is what was
            accepted, `amount_out` what was really paid out.
    """

    provider: str
    reply: object
    request_id: str
    failovers: int
    attempts: int
    via: str = "call"
    reference: str | None = None
    joined: bool = False
    cost: Decimal | None = None
    quote: Quote | None = None
    amount_out: Decimal | None = None
