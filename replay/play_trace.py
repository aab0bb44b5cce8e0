"""The real engine over recorded traffic: one request a slot, one after another, on virtual time."""

import math
from pathlib import Path
from typing import Final

from understudy.engine.engine import Engine
from understudy.engine.errors import NotOffered, RequestError
from understudy.engine.provider import Deadline, Reply, Request
from understudy.events.policy import Policy
from understudy.replay.report import Report, Tally
from understudy.replay.runs import Progress, SimulatedLog, SimulationError, Verify, error_of, verified
from understudy.replay.trace import Outline, Slot, outline, read_trace
from understudy.replay.virtual_system import VirtualSystem
from understudy.replay.virtual_time import run_virtual

OPERATION: Final = "recorded"
PROVIDERS_AT_MOST: Final = 3
_LONGEST_MS: Final = 30_000
"""A recorded latency may be as long as this even if none in the file is."""
_PROGRESS_EVERY: Final = 200
_AHEAD_OF_THE_STORE: Final = 2_000
"""Events that may be pending before the clock stands still."""


class Stage:
    """Where the slot that is being played stands, for the providers to look at."""

    def __init__(self) -> None:
        self.slot = Slot("", 0, {})
        self.tally = Tally()


class RecordedProvider:
    """A provider that answers as it did in the slot that is being played."""

    def __init__(self, provider_id: str, *, stage: Stage, system: VirtualSystem) -> None:
        self._id = provider_id
        self._stage = stage
        self._system = system

    @property
    def id(self) -> str:
        """The provider's name in the trace."""
        return self._id

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Reply:  # noqa: ARG002
        """Take as long as it took, and end as it ended.

        Raises: the recorded failure; NotOffered without a row in this slot.
        """
        self._stage.tally.called(request.request_id, self._id)
        outcome = self._stage.slot.outcomes.get(self._id)
        if outcome is None:
            raise NotOffered("no row in this slot")
        await self._system.sleep_until(self._system.now_us() + outcome.latency_us)
        if outcome.failure is not None:
            raise error_of(outcome.failure, "as recorded")
        return Reply()


def simulate_trace(
    path: Path,
    *,
    log: SimulatedLog,
    policy: Policy | None = None,
    seed: int = 0,
    verify: Verify | None = None,
    progress: Progress | None = None,
) -> Report:
    """Play a trace to its end.

    A request starts at its `at_s`, or when the one before has ended, whichever is later. Whatever the policy says, each
    provider is tried once, three providers at most, and no limit cuts a recorded latency short.
    Errors: TraceError for the file; SimulationError if the policy does not fit it.
    """
    plan = outline(path)
    effective = fitted(policy or Policy(), plan)
    run = _play(path, plan, policy=effective, log=log, seed=seed, progress=progress)
    # All requests are reads, and nobody awaits their durability: the clock need not wait for each commit, so that a
    # file costs little more than memory. It waits when the store falls behind, long before admission would notice.
    tally, decisions = run_virtual(run, busy=lambda: log.pending > _AHEAD_OF_THE_STORE)
    return tally.report(decisions=decisions, verified=verified(log, verify))


def fitted(policy: Policy, plan: Outline) -> Policy:
    """The policy with what a trace demands in place of what it says.

    Errors: SimulationError if it configures a provider that the trace does not know.
    """
    unknown = [one.id for one in policy.providers if one.id not in plan.providers]
    if unknown:
        told = f"the policy configures {unknown[0]!r}, which is not in the trace"
        raise SimulationError(f"{told}; there are {', '.join(plan.providers)}")
    timeout_ms = max(_LONGEST_MS, math.ceil(plan.longest_us / 1000)) + 1_000
    return policy.model_copy(
        update={
            "retry_attempts": 0,
            "max_providers": PROVIDERS_AT_MOST,
            "request_timeout_ms": timeout_ms,
            "deadline_ms": (PROVIDERS_AT_MOST + 1) * timeout_ms,
            "providers": tuple(one.model_copy(update={"request_timeout_ms": None}) for one in policy.providers),
        }
    )


async def _play(
    path: Path, plan: Outline, *, policy: Policy, log: SimulatedLog, seed: int, progress: Progress | None
) -> tuple[Tally, int]:
    system = VirtualSystem(seed=seed, start_us=max(0, plan.first_at_us))
    stage = Stage()
    providers = [RecordedProvider(one, stage=stage, system=system) for one in plan.providers]
    # Nobody watches: there are no pings in a trace, and months of virtual time would be spent on an empty inbox.
    async with Engine(providers=providers, log=log, policy=policy, system=system, watch=False) as engine:
        for count, slot in enumerate(read_trace(path), start=1):
            stage.slot = slot
            await system.sleep_until(slot.at_us)
            await _request(engine, stage.tally, system)
            if progress is not None and (count % _PROGRESS_EVERY == 0 or count == plan.slots):
                progress(count, plan.slots)
        return stage.tally, engine.standing.totals.decisions


async def _request(engine: Engine, tally: Tally, system: VirtualSystem) -> None:
    began_us = system.now_us()
    try:
        answer = await engine.call(OPERATION, effect="read")
    except RequestError as error:
        tally.ended(system.now_us() - began_us, request_id=error.request_id, served=False)
    else:
        tally.ended(system.now_us() - began_us, request_id=answer.request_id, served=True)
