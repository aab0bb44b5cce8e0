"""Wishes about drills: one is to begin, or to end. Only an engine that runs can have any."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from understudy.engine.arguments import split
from understudy.engine.chaos import LEAST_MS
from understudy.engine.drills import running
from understudy.engine.errors import InvalidRequest
from understudy.engine.journal import Journal
from understudy.engine.modes import is_able
from understudy.engine.operation import Operation
from understudy.engine.wish_form import WishForm
from understudy.events.drills import FAULTS, DrillEnd, DrillEnded, DrillForm, DrillStarted
from understudy.events.log import SideWrite
from understudy.events.policy import Milliseconds, Policy, PositiveMilliseconds
from understudy.events.vocabulary import SIDE_OPERATIONS, Effect
from understudy.projections.standing import Standing

NO_ENGINE: Final = "no engine is running on this log, and a drill needs one: there would be nothing to see"
SEEDS: Final = 1 << 31
_SHARES: Final = {DrillForm.BROWNOUT: Decimal(50)}
_DELAYS_MS: Final = {DrillForm.BROWNOUT: 2_000}
_Percent = Annotated[Decimal, Field(gt=0, le=100)]


class StartDrill(WishForm):
    """Hold a drill.

    Shape:  `provider` is None for chaos and load. What is left None is as usual for the form. `even_the_last`: also if
            nobody else can serve meanwhile.
    Units:  `share` is the percentage of calls that fail. `every_ms` is how long a flapping provider is out, and then
            how long it is back. `expires_us` is the instant after which the wish is forgotten.
    """

    command: Literal["start_drill"] = "start_drill"
    form: DrillForm
    provider: str | None = None
    for_ms: PositiveMilliseconds
    share: _Percent | None = None
    delay_ms: Milliseconds | None = None
    every_ms: PositiveMilliseconds | None = None
    retry_after_ms: PositiveMilliseconds | None = None
    even_the_last: bool = False
    seed: Annotated[int, Field(ge=0, lt=SEEDS)] | None = None
    at_once: int = Field(default=1, ge=1)
    operation: str | None = Field(default=None, min_length=1, max_length=100)
    per_second: Annotated[Decimal, Field(gt=0, le=10_000)] | None = None
    context: dict[str, str] | None = None
    expires_us: int | None = None

    @field_validator("share")
    @classmethod
    def _in_basis_points(cls, share: Decimal | None) -> Decimal | None:
        if share is not None and share * 100 % 1:
            raise PydanticCustomError("too_fine", "two decimals are the most that a share can have")
        return share

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.form in FAULTS) != (self.provider is not None):
            told = "needs a provider" if self.form in FAULTS else "concerns no one provider"
            raise PydanticCustomError("incomplete", f"{self.form} {told}")
        if self.form is DrillForm.LOAD and (self.operation is None or self.per_second is None):
            raise PydanticCustomError("incomplete", "load needs an operation and how often a second it is wanted")
        return self


class StopDrill(WishForm):
    """End a drill now, or all that run."""

    command: Literal["stop_drill"] = "stop_drill"
    drill: str | None = None


def carry_out(journal: Journal, wish: StartDrill | StopDrill, *, side: Sequence[SideWrite] = ()) -> None:
    """Put a wish on record.

    Errors: InvalidRequest if it makes no sense here and now; nothing has been written then.
    """
    if journal.operations is None:
        raise InvalidRequest(NO_ENGINE)
    if isinstance(wish, StopDrill):
        _stop(journal, wish, side)
        return
    now_us = journal.now_us()
    if wish.expires_us is not None and now_us >= wish.expires_us:
        raise InvalidRequest("whoever wanted this drill does not wait for it any more")
    expect_possible(journal.ledger.standing, wish)
    if wish.form is DrillForm.LOAD:
        _expect_bearable(journal.ledger.standing.policy, wish, journal.operations)
    seed = journal.system.draw() if wish.seed is None else wish.seed
    journal.note(started(journal.ledger.standing, wish, now_us=now_us, seed=seed), at_us=now_us, side=side)


def _stop(journal: Journal, wish: StopDrill, side: Sequence[SideWrite]) -> None:
    every = list(running(journal.ledger.standing))
    wanted = [one for one in every if wish.drill in {None, one.drill, one.part_of}]
    if not wanted:
        known = f"; there are {', '.join(one.drill for one in every)}" if every else ", nor is any other"
        raise InvalidRequest(
            "no drill is running" if wish.drill is None else f"no drill {wish.drill!r} is running{known}"
        )
    for one in wanted:
        journal.note(ended(one, DrillEnd.STOPPED, actor=wish.actor, reason=wish.reason), side=side)
        side = ()


def started(standing: Standing, wish: StartDrill, *, now_us: int, seed: int, **more: Any) -> DrillStarted:
    """The beginning of a drill, its id named after its place in the log."""
    share = _SHARES.get(wish.form, Decimal(100)) if wish.share is None else wish.share
    delay_ms = _DELAYS_MS.get(wish.form, 0) if wish.delay_ms is None else wish.delay_ms
    return DrillStarted(
        drill=f"d{standing.seq + 1}",
        form=wish.form,
        provider=wish.provider,
        for_us=wish.for_ms * 1000,
        until_us=now_us + wish.for_ms * 1000,
        seed=seed,
        share_bp=int(share * 100),
        delay_us=delay_ms * 1000,
        every_us=(wish.every_ms or 10_000) * 1000 if wish.form is DrillForm.FLAP else 0,
        retry_after_us=(wish.retry_after_ms or 1_000) * 1000 if wish.form is DrillForm.THROTTLE else 0,
        at_once=wish.at_once if wish.form is DrillForm.CHAOS else None,
        operation=wish.operation,
        per_second=wish.per_second,
        context=wish.context,
        actor=wish.actor,
        reason=wish.reason,
        **more,
    )


def ended(drill: DrillStarted, cause: DrillEnd, *, actor: str | None = None, reason: str | None = None) -> DrillEnded:
    """The end of a drill."""
    return DrillEnded(
        drill=drill.drill, form=drill.form, provider=drill.provider, cause=cause, actor=actor, reason=reason
    )


def expect_possible(standing: Standing, wish: StartDrill) -> None:
    """Refuse a drill that cannot be, or that must not be.

    Errors: InvalidRequest.
    """
    policy = standing.policy
    expect_length(policy, wish.form, for_ms=wish.for_ms)
    for course in standing.courses.values():
        if course.form is wish.form:
            raise InvalidRequest(f"{course.drill} is running already, {_told(course)}: stop that first")
    if wish.provider is None:
        return
    if wish.provider not in policy.by_id:
        raise InvalidRequest(f"provider {wish.provider!r} is unknown; known: {', '.join(policy.by_id)}")
    there = standing.drills.get(wish.provider)
    if there is not None:
        raise InvalidRequest(f"{there.drill} is running already, {_told(there)}: stop that first")
    if not wish.even_the_last and not others_serve(standing, {wish.provider}):
        raise InvalidRequest(
            f"nobody but {wish.provider!r} can serve now, so that requests would be lost; if that is wanted,"
            " say `--even-the-last` (`even_the_last=True`)"
        )


def expect_length(policy: Policy, form: DrillForm, *, for_ms: int) -> None:
    """Refuse a drill that is too long, or a chaos too short to hold anything.

    Errors: InvalidRequest.
    """
    if for_ms > policy.drill_max_ms:
        raise InvalidRequest(f"a drill lasts at most {policy.drill_max_ms:,} ms (`drill_max_ms`), not {for_ms:,} ms")
    if form is DrillForm.CHAOS and for_ms < LEAST_MS:
        raise InvalidRequest(
            f"a chaos lasts at least {LEAST_MS:,} ms, not {for_ms:,} ms: it might hold no drill at all"
        )


def _expect_bearable(policy: Policy, wish: StartDrill, operations: Mapping[str, Operation]) -> None:
    """Refuse a load that may move anything, tell anything, or go beyond what the providers' limits allow."""
    declared = operations.get(wish.operation or "")
    if declared is None or declared.effect is not Effect.READ or declared.quoted or wish.operation in SIDE_OPERATIONS:
        able = [one.name for one in operations.values() if one.effect is Effect.READ and not one.quoted]
        able = [name for name in able if name not in SIDE_OPERATIONS]
        raise InvalidRequest(
            f"a load may be of a declared `read` operation only, not {wish.operation!r}; "
            + (f"there are {', '.join(able)}" if able else "none is declared")
        )
    split(wish.context or {})
    told = declared.sensitive.intersection(wish.context or {})
    if told:
        raise InvalidRequest(f"{', '.join(sorted(told))} is sensitive, and a load is on record in clear; leave it out")
    limits = [one.max_calls_per_second for one in policy.providers if not one.free_price]
    every = [limit for limit in limits if limit is not None]
    bounds = [sum(every, Decimal(0))] if every and len(every) == len(limits) else []
    bounds += [] if policy.max_calls_per_second is None else [policy.max_calls_per_second]
    if bounds and (wish.per_second or 0) > min(bounds):
        raise InvalidRequest(f"the limits allow {min(bounds):f} calls a second, not {wish.per_second:f}")


def others_serve(standing: Standing, out: set[str]) -> bool:
    """Whether anybody can serve who is in no drill, and is not among those."""
    settings = [one for one in standing.policy.providers if not one.free_price]
    left = [one for one in settings if one.id not in standing.drills and one.id not in out]
    return any(is_able(standing, one) for one in left)


def _told(drill: DrillStarted) -> str:
    return f"{drill.form} of {drill.provider}" if drill.provider is not None else f"{drill.form}"
