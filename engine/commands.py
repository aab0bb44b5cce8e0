"""What people outside the engine may want of it: lines of the inbox, each turned into an event."""

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from understudy.engine import recovery
from understudy.engine.errors import InvalidRequest
from understudy.engine.runner import Runner
from understudy.events.fact import Fact
from understudy.events.log import Command, TakeCommand
from understudy.events.operations import AlertRaised, OverrideCleared, OverrideSet
from understudy.events.requests import RequestResumed
from understudy.events.vocabulary import ForcedState

if TYPE_CHECKING:
    from understudy.engine.engine import Engine


COMMAND_REFUSED: Final = "command_refused"
"""The alert for a command that made no sense: it came from outside, no rule raises it."""


class _Wish(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    actor: str = Field(min_length=1, max_length=200)
    reason: str = Field(min_length=1, max_length=500)


class SetOverride(_Wish):
    """Force a provider's state; `for_ms` None until cleared."""

    command: Literal["set_override"] = "set_override"
    provider: str
    state: ForcedState
    for_ms: int | None = Field(default=None, ge=1, le=10**11)


class ClearOverride(_Wish):
    """Take a forced state back."""

    command: Literal["clear_override"] = "clear_override"
    provider: str


class Resolve(_Wish):
    """Say what became of a suspended request."""

    command: Literal["resolve"] = "resolve"
    request_id: str
    executed: bool
    reference: str | None = None


W = TypeVar("W", bound=_Wish)
AnyCommand = Annotated[SetOverride | ClearOverride | Resolve, Field(discriminator="command")]
_READER: TypeAdapter[SetOverride | ClearOverride | Resolve] = TypeAdapter(AnyCommand)


def obey(engine: "Engine", runner: Runner, command: Command) -> None:
    """Turn a command into its event; one that makes no sense becomes an alert. Either takes it out of the inbox."""
    journal = runner.journal
    try:
        wish = _READER.validate_json(command.body)
        event = _event(engine, runner, wish)
    except (ValidationError, ValueError) as error:
        subject = str(command.command_id)
        event = AlertRaised(alert=COMMAND_REFUSED, subject=subject, message=str(error)[:500])
        wish = None
    journal.note(event, side=[TakeCommand(command_id=command.command_id)])
    if isinstance(wish, Resolve):
        runner.wake(wish.request_id)


def _event(engine: "Engine", runner: Runner, wish: SetOverride | ClearOverride | Resolve) -> Fact:
    journal = runner.journal
    if isinstance(wish, Resolve):
        if not recovery.is_held(journal.ledger, wish.request_id):
            raise ValueError(f"request {wish.request_id!r} is not held")
        return RequestResumed(**wish.model_dump(exclude={"command"}))
    if wish.provider not in {settings.id for settings in engine.policy.providers}:
        raise ValueError(f"provider {wish.provider!r} is unknown")
    if isinstance(wish, ClearOverride):
        return OverrideCleared(**wish.model_dump(exclude={"command"}))
    return override_of(wish, journal.now_us())


def override_of(wish: SetOverride, now_us: int) -> OverrideSet:
    """The event of a wish to force a state."""
    until_us = None if wish.for_ms is None else now_us + wish.for_ms * 1000
    return OverrideSet(**wish.model_dump(exclude={"command", "for_ms"}), until_us=until_us)


def wished(kind: type[W], **fields: Any) -> W:
    """A wish that was put as arguments.

    Errors: InvalidRequest, naming the argument and what would be right.
    """
    try:
        return kind(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidRequest(f"{where}: {first['msg']}, not {first['input']!r}") from error
