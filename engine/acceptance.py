"""Taking a request on: its arguments are checked, its sensitive values put aside, and its acceptance noted."""

from collections.abc import Iterator, Mapping
from decimal import Context, Decimal
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Final

from pydantic import JsonValue

from understudy.engine.arguments import MOST_DIGITS, check_name, check_names, exact, is_name, plain, split
from understudy.engine.errors import InvalidRequest
from understudy.engine.journal import Journal
from understudy.engine.keys import body_hash
from understudy.engine.operation import Operation, check_undoing, effect_named
from understudy.engine.provider import Request
from understudy.engine.reports import Discretion
from understudy.engine.ticket import Ticket
from understudy.events.log import ClaimKey, SideWrite, StoreSensitive
from understudy.events.policy import Policy
from understudy.events.record import record
from understudy.events.requests import RequestAccepted
from understudy.events.sensitive import conceal, token_of
from understudy.events.vocabulary import SIDE_OPERATIONS, TENDING, Effect

KEY_LIFE_US: Final = 30 * 24 * 3_600_000_000
"""How long an idempotency key is kept: thirty days."""
NOTHING_HIDDEN: Final = Discretion()
_NOTHING: Final[Mapping[str, str]] = {}
_EXACT: Final = Context(prec=MOST_DIGITS)
_LONGEST_MS: Final = 30 * 24 * 3_600_000


@record(kw_only=True)
class Asked:
    """A caller's request with its arguments checked."""

    operation: Operation
    effect: Effect
    columns: Mapping[str, str]
    labels: Mapping[str, str]
    body: JsonValue
    amount: Decimal | None
    key: str | None
    principal: str
    subject: str | None
    deadline_ms: int
    preferred: str | None
    free_to_abandon: bool
    only: str | None = None
    undoes: str | None = None
    max_price: Decimal | None = None

    def fingerprint(self, salt: bytes) -> str:
        """What tells a repeat from another request under the same key, salted: sensitive values are part of it."""
        amount = None if self.amount is None else str(self.amount.normalize(_EXACT))
        content = (self.operation.name, self.effect, self.columns, self.labels, self.body, amount)
        limit = None if self.max_price is None else str(self.max_price.normalize(_EXACT))
        bounds = (self.only, limit)
        return body_hash(content if bounds == (None, None) else (*content, *bounds), salt)


def check(
    operation: Operation,
    *,
    policy: Policy,
    context: Mapping[str, str],
    body: Any = None,
    amount: Decimal | int | str | None = None,
    effect: Effect | str | None = None,
    key: str | None = None,
    principal: str = "",
    subject: str | None = None,
    deadline_ms: int | None = None,
    preferred: str | None = None,
    free_to_abandon: bool | None = None,
    only: str | None = None,
    undoes: str | None = None,
    max_price: Decimal | int | str | None = None,
) -> Asked:
    """The arguments of a call, checked.

    Errors: InvalidRequest and EventRefused say which argument is wrong and what would be right.
    """
    check_names(idempotency_key=key, principal=principal or None, subject=subject, undoes=undoes)
    _check_named(preferred, only, policy)
    _check_bound(operation, only)
    (columns, labels), sum_ = _split_for(operation, context), exact(amount)
    _check_quotable(operation, columns.get("pair"), sum_, policy)
    return Asked(
        operation=operation,
        effect=_effect(effect, operation, only=only, undoes=undoes),
        columns=columns,
        labels=labels,
        body=plain(body),
        amount=sum_,
        key=key,
        principal=principal,
        subject=subject,
        deadline_ms=_deadline_ms(operation, deadline_ms, policy),
        preferred=preferred,
        free_to_abandon=operation.free_to_abandon if free_to_abandon is None else bool(free_to_abandon),
        only=only,
        undoes=undoes,
        max_price=_limit(max_price, operation, only, policy),
    )


def _check_named(preferred: str | None, only: str | None, policy: Policy) -> None:
    """Refuse providers that there are not.

    Errors: InvalidRequest.
    """
    for what, provider in (("preferred provider", preferred), ("only", only)):
        if provider is not None and (not isinstance(provider, str) or provider not in policy.by_id):  # type: ignore[redundant-expr]
            raise InvalidRequest(f"{what} {provider!r} is unknown; known: {', '.join(policy.by_id)}")


def _deadline_ms(operation: Operation, deadline_ms: int | None, policy: Policy) -> int:
    if deadline_ms is None:
        deadline_ms = policy.deadline_ms if operation.deadline_ms is None else operation.deadline_ms
    if not isinstance(deadline_ms, int) or not 0 < deadline_ms <= _LONGEST_MS:  # type: ignore[redundant-expr]
        raise InvalidRequest(f"deadline_ms must be a whole number from 1 to {_LONGEST_MS}, not {deadline_ms!r}")
    return deadline_ms


def _limit(
    max_price: Decimal | int | str | None, operation: Operation, only: str | None, policy: Policy
) -> Decimal | None:
    """The most that is paid: what a caller says, else what the policy says of anything that costs something."""
    if max_price is None and operation.effect is Effect.ONCE and not operation.quoted and only is None:
        return policy.max_price
    most = exact(max_price, what="max_price")
    if most is not None and most <= 0:
        raise InvalidRequest(f"max_price must be above 0, not {most}")
    return most


def _check_bound(operation: Operation, only: str | None) -> None:
    """Refuse what is about something that a provider has given, and does not say which one; and the other way round.

    Errors: InvalidRequest.
    """
    if operation.name in TENDING and only is None:
        raise InvalidRequest(
            f"{operation.name!r} is asked about something that a provider has given: say which one has, only=…"
        )
    if operation.quoted and only is not None:
        raise InvalidRequest(f"{operation.name} compares quotes, so it cannot be asked of {only!r} only")


def _check_quotable(operation: Operation, pair: str | None, amount: Decimal | None, policy: Policy) -> None:
    """Refuse what nobody could quote.

    Errors: InvalidRequest.
    """
    if not operation.quoted:
        return
    sold, slash, bought = (pair or "").partition("/")
    if not (sold and slash and bought) or "/" in bought:
        raise InvalidRequest(
            f'{operation.name} is quoted and needs what is sold and what is bought: context={{"pair": "ETH/BTC"}}'
        )
    if amount is None or amount <= 0:
        raise InvalidRequest(f"{operation.name} is quoted and needs an amount above 0, not {amount}")
    if not any(one.has_quote for one in policy.providers):
        raise InvalidRequest(f"{operation.name} is quoted, and none of the providers has `quote`")


def declared(name: str, operations: Mapping[str, Operation], *, effect: Effect | str | None) -> Operation:
    """The operation of that name as it was declared, or a plain one.

    Where some are declared, an undeclared one must name its effect: a misspelt payment is not to be served as a read.
    Errors: InvalidRequest.
    """
    if not is_name(name):
        check_name("operation", name)
    if name in SIDE_OPERATIONS and name not in TENDING:
        own = ", ".join(one for one in SIDE_OPERATIONS if one not in TENDING)
        raise InvalidRequest(f"an operation cannot be called {name!r}: the engine's own calls are {own}")
    found = operations.get(name)
    if found is None and operations and effect is None:
        near = get_close_matches(name, operations, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"declared are {', '.join(operations)}."
        raise InvalidRequest(
            f"operation {name!r} is not declared; {hint} If it is right, declare it or name its effect"
        )
    return found or _undeclared(name)


@lru_cache(maxsize=1_000)
def _undeclared(name: str) -> Operation:
    return Operation(name=name, declared=False)


def _split_for(operation: Operation, context: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The same, refused where something sensitive would become a column: that stands in the log in clear."""
    columns, labels = split(context)
    for name in sorted(operation.sensitive & columns.keys()):
        raise InvalidRequest(
            f"{operation.name} declares {name!r} sensitive, but context[{name!r}] is a column of the log and would"
            " stand there in clear; pass it in the body, or under another name"
        )
    return columns, labels


def accept(journal: Journal, asked: Asked) -> Ticket:
    """Note that a request has been taken on.

    Errors: EventRefused if it is too large to be put on record; nothing has happened then.
    """
    log, now_us = journal.log, journal.now_us()
    request_id = journal.system.new_id()
    hidden, taken = _hidden(asked, log.salt)
    body_hash = None if asked.key is None else asked.fingerprint(log.salt)
    whose = None if asked.subject is None else token_of(log.salt, asked.subject)
    event = _accepted(asked, request_id, hidden, now_us=now_us, body_hash=body_hash, whose=whose)
    subject = event.subject or request_id
    side: list[SideWrite] = [
        StoreSensitive(token=token, subject=subject, value=value) for token, value in taken.items()
    ]
    side += _claims(event, now_us)
    journal.note(event, at_us=now_us, side=side)
    request = Request(
        request_id=request_id,
        operation=asked.operation.name,
        effect=asked.effect,
        context={**asked.columns, **asked.labels},
        amount=asked.amount,
        body=asked.body,
        max_price=asked.max_price,
    )
    return Ticket(request, _discretion(asked, taken, log.salt), subject)


def _claims(event: RequestAccepted, now_us: int) -> Iterator[ClaimKey]:
    """The claim of the caller's idempotency key, if there is one."""
    if event.key is not None and event.body_hash is not None:
        yield ClaimKey(
            principal=event.principal,
            operation=event.operation,
            key=event.key,
            body_hash=event.body_hash,
            request_id=event.request_id,
            expires_at_us=now_us + KEY_LIFE_US,
        )


def discretion_of(journal: Journal, asked: Asked) -> Discretion:
    """What must not be told in clear of a question that is no request."""
    salt = journal.log.salt
    return _discretion(asked, _hidden(asked, salt)[1], salt)


def _discretion(asked: Asked, taken: Mapping[str, str], salt: bytes) -> Discretion:
    names = asked.operation.sensitive
    return Discretion(names, salt, frozenset(taken.values())) if names else NOTHING_HIDDEN


def _hidden(asked: Asked, salt: bytes) -> tuple[Any, Mapping[str, str]]:
    """The body and the labels with sensitive values concealed, and these values by token."""
    told: Any = {"body": asked.body, "labels": asked.labels}
    return conceal(told, asked.operation.sensitive, salt) if asked.operation.sensitive else (told, _NOTHING)


def _accepted(
    asked: Asked, request_id: str, hidden: Any, *, now_us: int, body_hash: str | None, whose: str | None
) -> RequestAccepted:
    """The event; `hidden` has the body and the labels with sensitive values concealed."""
    return RequestAccepted(
        request_id=request_id,
        operation=asked.operation.name,
        effect=asked.effect,
        deadline_at_us=now_us + asked.deadline_ms * 1000,
        free_to_abandon=asked.free_to_abandon,
        preferred=asked.preferred,
        labels=hidden["labels"],
        amount=asked.amount,
        body=hidden["body"],
        principal=asked.principal,
        key=asked.key,
        body_hash=body_hash,
        quoted=asked.operation.quoted or None,
        only=asked.only,
        undone_by=asked.operation.undone_by,
        undoes=asked.undoes,
        max_price=asked.max_price,
        subject=whose,
        **asked.columns,
    )


def _effect(wanted: Effect | str | None, operation: Operation, *, only: str | None, undoes: str | None) -> Effect:
    effect = operation.effect if wanted is None else effect_named(wanted)
    check_undoing(operation, effect, only=only, undoes=undoes)
    if operation.declared and effect is not operation.effect:
        raise InvalidRequest(f"{operation.name} is declared as {operation.effect}; leave `effect` out or declare it so")
    return effect
