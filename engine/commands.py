"""What people may want of the engine, by its methods or by lines of the inbox: each wish is turned into an event."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, TypeVar, assert_never

from pydantic import Field, TypeAdapter, ValidationError

from understudy.engine import drill_commands, recovery
from understudy.engine.alerts import unsettled
from understudy.engine.desk import Forget, Note, forgotten, noted
from understudy.engine.drill_commands import StartDrill, StopDrill
from understudy.engine.errors import InvalidRequest
from understudy.engine.journal import Journal
from understudy.engine.ledger import Ledger
from understudy.engine.next_step import next_step
from understudy.engine.preferences import change_preferences, shown
from understudy.engine.silencing import silencing
from understudy.engine.steps import Fail, Finish
from understudy.engine.wish_form import LONGEST, first_fault
from understudy.engine.wish_form import WishForm as _Wish
from understudy.events.desk import CommandRefused
from understudy.events.fact import Fact
from understudy.events.log import Command, SideWrite, TakeCommand
from understudy.events.operations import (
    AlertCleared,
    AlertRaised,
    OverrideCleared,
    OverrideSet,
    ProbeRequested,
    SegmentArchived,
    SyncRequested,
)
from understudy.events.policy import ProviderSettings
from understudy.events.quotes import QuarantineReleased
from understudy.events.requests import RequestResumed
from understudy.events.vocabulary import ForcedState
from understudy.projections import lane_step as lane
from understudy.projections.quote_book import quote_key
from understudy.projections.standing import Standing

COMMAND_REFUSED: Final = "command_refused"
"""The alert for a command that made no sense: it came from outside, no rule raises it. It is over with the next command
that makes sense: whoever put it there has been back."""


class SetOverride(_Wish):
    """Force a provider's state; `for_ms` counts from when it is obeyed, None means until cleared."""

    command: Literal["set_override"] = "set_override"
    provider: str
    state: ForcedState
    for_ms: int | None = Field(default=None, ge=1, le=10**11)


class ClearOverride(_Wish):
    """Take a forced state back."""

    command: Literal["clear_override"] = "clear_override"
    provider: str


class Probe(_Wish):
    """Find out now whether a provider is well again."""

    command: Literal["probe"] = "probe"
    provider: str


class Resolve(_Wish):
    """Say what became of a suspended request."""

    command: Literal["resolve"] = "resolve"
    request_id: str
    executed: bool
    reference: str | None = Field(default=None, max_length=LONGEST)


class Release(_Wish):
    """Take a provider out of quarantine for a pair."""

    command: Literal["release"] = "release"
    provider: str
    pair: str


class SetPreferences(_Wish):
    """Change preferences (`events.preferences`), by name."""

    command: Literal["set_preferences"] = "set_preferences"
    changes: dict[str, str | int | bool | None] = Field(min_length=1)


class Sync(_Wish):
    """Find out now what a provider has on offer, or what all have."""

    command: Literal["sync"] = "sync"
    provider: str | None = None


class Silence(_Wish):
    """Do not tell people of an alert for a while; `subject` None means whatever it is about."""

    command: Literal["silence"] = "silence"
    alert: str
    subject: str | None = Field(default=None, max_length=LONGEST)
    for_ms: int = Field(ge=1, le=10**11)


class LiftSilence(_Wish):
    """Tell people of an alert again."""

    command: Literal["lift_silence"] = "lift_silence"
    alert: str
    subject: str | None = Field(default=None, max_length=LONGEST)


class RecordSegment(_Wish):
    """Put on record that a stretch of the log is sealed in a file; `segment` has the other fields of the event."""

    command: Literal["record_segment"] = "record_segment"
    segment: dict[str, str | int | list[str] | list[int]]


_Plain = SetOverride | ClearOverride | Probe | Resolve | Release | Sync | RecordSegment | Note | Silence | LiftSilence
"""Wishes that each become one event."""
Wish = _Plain | SetPreferences | StartDrill | StopDrill | Forget
W = TypeVar(
    "W",
    SetOverride,
    ClearOverride,
    Probe,
    Resolve,
    Release,
    SetPreferences,
    Sync,
    StartDrill,
    StopDrill,
    Note,
    Silence,
    LiftSilence,
)
AnyCommand = Annotated[Wish, Field(discriminator="command")]
_READER: Final[TypeAdapter[Wish]] = TypeAdapter(AnyCommand)


def obey(journal: Journal, command: Command) -> Wish | None:
    """Turn a command into its event; one that makes no sense becomes an alert, or tells whoever waits for it.

    Either takes it out of the inbox. Returns what was wished, so that whoever can may do the rest; None if it made no
    sense.
    """
    taken = [TakeCommand(command_id=command.command_id)]
    wish = None
    try:
        wish = _READER.validate_json(command.body)
        carry_out(journal, wish, side=taken)
    except (ValidationError, InvalidRequest) as error:
        message = first_fault(error) if isinstance(error, ValidationError) else str(error)
        subject = str(command.command_id)
        side: list[SideWrite] = [
            *taken,
            shown(journal.ledger.standing.policy),
        ]  # An UPDATE in SQL has shown already what it wanted.
        now_us = journal.now_us()
        refusal: Fact = AlertRaised(alert=COMMAND_REFUSED, subject=subject, message=message[:LONGEST])
        if wish is not None and wish.awaited_until_us is not None and now_us < wish.awaited_until_us:
            told = {"message": message[:LONGEST], "actor": wish.actor}
            refusal = CommandRefused(command_id=command.command_id, **told)
        journal.note(refusal, at_us=now_us, side=side)
        return None
    for name in list(journal.ledger.standing.alerts):
        alert, _, subject = name.partition("|")
        if alert == COMMAND_REFUSED:
            journal.note(AlertCleared(alert=alert, subject=subject))
    return wish


def carry_out(journal: Journal, wish: Wish, *, side: Sequence[SideWrite] = ()) -> None:
    """Put a wish on record.

    Errors: InvalidRequest if it makes no sense here and now; nothing has been written then.
    """
    now_us = journal.now_us()
    if isinstance(wish, SetPreferences):
        change_preferences(journal, wish.changes, actor=wish.actor, reason=wish.reason, side=side)
    elif isinstance(wish, Forget):
        event, erasure = forgotten(journal.ledger, wish)
        journal.note(event, at_us=now_us, side=[*side, erasure])
    elif isinstance(wish, StartDrill | StopDrill):
        drill_commands.carry_out(journal, wish, side=side)
    else:
        journal.note(_event(journal, wish, now_us), at_us=now_us, side=side)


def conclude(journal: Journal, request_id: str) -> None:
    """End a request of which an operator has said what became of it, where no runner drives it: nobody is asked."""
    now_us = journal.now_us()
    ledger = journal.ledger
    if request_id not in ledger.requests:
        return  # It has ended before: an operator has had the last word on it.
    step = next_step(ledger.requests[request_id], ledger.standing, now_us=now_us)
    assert isinstance(step, Finish | Fail), step  # noqa: S101 - an operator's word is the last one.
    journal.note(step.event, at_us=now_us)


def wished(kind: type[W], **fields: Any) -> W:
    """A wish that was put as arguments.

    Errors: InvalidRequest, naming the argument and what would be right.
    """
    try:
        return kind(**fields)
    except ValidationError as error:
        raise InvalidRequest(first_fault(error)) from error


def _event(journal: Journal, wish: _Plain, now_us: int) -> Fact:
    ledger = journal.ledger
    if isinstance(wish, Resolve):
        if not recovery.is_held(ledger, wish.request_id) and not awaits_last_word(ledger, wish.request_id):
            raise InvalidRequest(f"request {wish.request_id!r} is not held; only suspended requests can be resolved")
        return RequestResumed(**wish.model_dump(exclude={"command"}))
    if isinstance(wish, Silence | LiftSilence):
        return silencing(ledger.standing, wish, operations=journal.operations or (), now_us=now_us)
    known = ledger.standing.policy.by_id
    if isinstance(wish, Sync):
        expect_listing(known, wish.provider)
        return SyncRequested(**wish.model_dump(exclude={"command"}))
    if isinstance(wish, RecordSegment):
        return SegmentArchived.of({**wish.segment, "actor": wish.actor, "reason": wish.reason})
    if wish.provider not in known:
        raise InvalidRequest(f"provider {wish.provider!r} is unknown; known: {', '.join(known)}")
    match wish:
        case SetOverride(for_ms=for_ms):
            until_us = None if for_ms is None else now_us + for_ms * 1000
            return OverrideSet(**wish.model_dump(exclude={"command", "for_ms"}), until_us=until_us)
        case ClearOverride():
            return OverrideCleared(**wish.model_dump(exclude={"command"}))
        case Probe():
            expect_probeable(ledger.standing, wish.provider, now_us=now_us)
            return ProbeRequested(**wish.model_dump(exclude={"command"}))
        case Release():
            why_not = not_in_quarantine(ledger.standing, wish.provider, wish.pair)
            if why_not is not None:
                raise InvalidRequest(why_not)
            return QuarantineReleased(**wish.model_dump(exclude={"command"}))
        case Note():
            return noted(wish)
        case _:
            assert_never(wish)


def expect_listing(known: Mapping[str, ProviderSettings], provider: str | None) -> None:
    """Refuse to ask for a list of whoever has none.

    Errors: InvalidRequest.
    """
    able = [one.id for one in known.values() if one.has_sync]
    if provider is None and not able:
        raise InvalidRequest("none of the providers can list what it has on offer")
    if provider is not None and provider not in able:
        raise InvalidRequest(f"{provider!r} cannot list what it has on offer; who can: {', '.join(able) or 'nobody'}")


def not_in_quarantine(standing: Standing, provider: str, pair: str) -> str | None:
    """Why a provider cannot be released, in a sentence; None if it can."""
    if quote_key(provider, pair) in standing.quotes.quarantines:
        return None
    there = [key.partition("|")[2] for key in standing.quotes.quarantines if key.partition("|")[0] == provider]
    known = f"it is for {', '.join(there)}" if there else "it is in none"
    return f"{provider!r} is not in quarantine for {pair!r}; {known}"


def awaits_last_word(ledger: Ledger, request_id: str) -> bool:
    """Whether a request has ended, and a provider has said since that it was executed otherwise than was thought."""
    return request_id not in ledger.requests and any(unsettled(ledger.standing, request_id))


def expect_probeable(standing: Standing, provider: str, *, now_us: int) -> None:
    """Refuse a probe that can lead to nothing.

    Errors: InvalidRequest.
    """
    record = standing.providers.get(provider)
    forced = record.forced(now_us) if record is not None else None
    if record is not None and record.override is not None and forced in {ForcedState.OPEN, ForcedState.DRAIN}:
        how = "forced open" if forced is ForcedState.OPEN else "drained"
        raise InvalidRequest(
            f"{provider!r} is {how} by {record.override.actor}, so that no request may probe it; clear that first"
        )
    lanes = standing.lanes
    is_open = any(lanes.state[lanes.base(index) + lane.OPENED_US] for _, index in lanes.of(provider))
    if not is_open and not standing.policy.by_id[provider].has_ping:
        raise InvalidRequest(
            f"the circuit of {provider!r} is closed, and it cannot be pinged: there is nothing to probe"
        )
