"""What is health worth? The same scenario without and with it, played to the end, in one table.

Run: `python benchmarks/claims.py [SCENARIO.toml ...]`, by default `examples/thirty_days.toml`; `--bundled` adds a short
line for each scenario that comes along. Everything is simulated: virtual time, the same providers, arrivals and dice.

`alone` asks the first provider and nobody else. `loop` is the plain loop that most programs begin with: all providers
in their fixed order, the next one after any failure, no retries and no memory. `in_order` is the same order in the
engine, without retries and circuits: it looks up what may have happened before it asks anybody else, and keeps to a
Retry-After. `understudy` is what the scenario's own policy makes of it, `fastest` the same with that strategy. An
operator tells the engine when an account that was refused works again.
"""

import argparse
import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from felt import Asked, Figures, incidents

from understudy.adapters.stores import MemoryLog
from understudy.engine.engine import Engine
from understudy.engine.errors import ProviderError
from understudy.engine.provider import Deadline, Request
from understudy.events.calls import CallFailed, CallStarted
from understudy.events.codec import decode
from understudy.events.policy import Policy
from understudy.events.requests import RequestAccepted, RequestCompleted, RequestFailed, RequestSuspended
from understudy.events.vocabulary import Effect, FailureKind, Strategy
from understudy.replay.play_scenario import arrivals_us
from understudy.replay.scenario import Scenario, bundled_scenario, bundled_scenarios, read_scenario
from understudy.replay.scripted import ScriptedProvider
from understudy.replay.simulate import play
from understudy.replay.virtual_system import START_US, VirtualSystem
from understudy.replay.virtual_time import run_virtual

MONTH = Path(__file__).parent.parent / "examples" / "thirty_days.toml"
NEVER = 10**9


def by_loop(scenario: Scenario, *, only_first: bool = False) -> Figures:
    """The plain loop, or its first provider alone."""
    seed = scenario.seed
    providers = [
        ScriptedProvider(one, seed=seed, outages=scenario.local_faults)
        for one in scenario.providers[: 1 if only_first else None]
    ]
    asked: list[Asked] = []

    async def one_request(place: int, at_us: int, system: VirtualSystem) -> None:
        mine = Asked(at_us)
        asked.append(mine)
        request = Request(
            request_id=str(place), operation=scenario.operation, effect=scenario.effect, context=scenario.context
        )
        for provider in providers:
            mine.calls += 1
            timeout_ms = provider.settings.request_timeout_ms or scenario.policy.request_timeout_ms
            deadline = Deadline(system.now_us() + timeout_ms * 1000, system.now_us)
            try:
                async with asyncio.timeout(timeout_ms / 1000):
                    await provider.call(scenario.operation, request, key=str(place), deadline=deadline)
            except ProviderError as error:
                mine.failed_at(system.now_us() - START_US, error.kind)
            except TimeoutError:
                mine.failed_at(system.now_us() - START_US, FailureKind.TIMED_OUT)
            else:
                mine.served = True
                break
        mine.ended_us = system.now_us() - START_US

    async def main() -> None:
        system = VirtualSystem(seed=seed)
        async with asyncio.TaskGroup() as callers:
            for place, at_us in enumerate(arrivals_us(scenario, seed)):
                await system.sleep_until(START_US + at_us)
                callers.create_task(one_request(place, at_us, system))

    run_virtual(main(), busy=lambda: False)
    return Figures(asked, [one.books for one in providers], scenario)


def by_engine(scenario: Scenario, policy: Policy) -> Figures:
    """The real engine, and what its log tells of each request."""
    log = MemoryLog()
    played = play(scenario, log=log, policy=policy, attend=lambda engine: renew_keys(scenario, engine))
    asked: dict[str, Asked] = {}
    with log.reader() as reader:
        for row in reader.rows():
            at_us = row.at_us - START_US
            match decode(row):
                case RequestAccepted(request_id=request_id):
                    asked[request_id] = Asked(at_us)
                case CallStarted(request_id=str(request_id), operation=scenario.operation):
                    asked[request_id].calls += 1
                case CallFailed(request_id=str(request_id), operation=scenario.operation, outcome=outcome):
                    asked[request_id].failed_at(at_us, outcome)
                case RequestCompleted(request_id=request_id):
                    _ended(asked[request_id], at_us, served=True)
                case RequestFailed(request_id=request_id) | RequestSuspended(request_id=request_id):
                    _ended(asked[request_id], at_us, served=False)
    return Figures(list(asked.values()), [one.books for one in played.providers.values()], scenario)


def renew_keys(scenario: Scenario, engine: Engine) -> None:
    """Have an operator say so when an account works again: until then nobody is asked who has refused it."""

    def renewed(provider: str) -> None:
        if engine.standing.providers[provider].misconfigured_us:
            engine.clear_override(provider, actor="operator", reason="the key is renewed")

    for script in scenario.providers:
        for phase in script.phases:
            if FailureKind.MISCONFIGURED in phase.failures and phase.until_s is not None:
                asyncio.get_running_loop().call_at(float(phase.until_s), renewed, script.id)


def _ended(one: Asked, at_us: int, *, served: bool) -> None:
    """The caller was told; what a look-up settles afterwards does not count."""
    if one.ended_us is None:
        one.ended_us, one.served = at_us, served


def in_order(scenario: Scenario) -> Policy:
    """The fixed order, without retries and circuits."""
    return scenario.policy.model_copy(
        update={"strategy": Strategy.IN_ORDER, "retry_attempts": 0, "max_failures": NEVER, "max_failure_rate": None}
    )


WAYS: Mapping[str, Callable[[Scenario], Figures]] = {
    "alone": lambda scenario: by_loop(scenario, only_first=True),
    "loop": by_loop,
    "in_order": lambda scenario: by_engine(scenario, in_order(scenario)),
    "understudy": lambda scenario: by_engine(scenario, scenario.policy),
    "fastest": lambda scenario: by_engine(scenario, scenario.policy.model_copy(update={"strategy": Strategy.FASTEST})),
}
ROWS: Sequence[tuple[str, Callable[[Figures], str]]] = (
    ("served", lambda one: f"{one.uptime:.3f} %"),
    ("requests not served", lambda one: f"{one.user_errors:,}"),
    ("an incident is felt, minutes", lambda one: f"{one.touched_minutes:.1f}"),
    ("from the first failed call to the answer", lambda one: f"{one.recovery_ms:,.0f} ms" if one.recovery_ms else "-"),
    ("calls that brought nothing", lambda one: f"{one.wasted_calls:,}"),
    ("rate limits hit", lambda one: f"{one.throttled:,}"),
    ("until a number is there, mean", lambda one: f"{one.mean_ms:,.0f} ms"),
    ("until a number is there, p95", lambda one: f"{one.p95_ms:,.0f} ms"),
    ("… during an incident, mean", lambda one: f"{one.incident_ms:,.0f} ms"),
    ("executed twice", lambda one: f"{one.executed_twice:,}"),
)


def table(scenario: Scenario) -> None:
    """All ways through one scenario."""
    figures = {name: way(scenario) for name, way in WAYS.items()}
    print(f"\n{scenario.name}: {len(figures['loop'].asked):,} requests, {len(incidents(scenario))} incidents\n")
    print("| " + " | ".join(["", *figures]) + " |")
    print("|---|" + "---|" * len(figures))
    for name, says in ROWS:
        print("| " + " | ".join([name, *(says(one) for one in figures.values())]) + " |")


def line(scenario: Scenario) -> str:
    """A bundled scenario in short: the plain loop, and the engine."""
    before, after = by_loop(scenario), by_engine(scenario, scenario.policy)
    told = [
        f"{before.uptime:.2f} → {after.uptime:.2f} %",
        f"{before.wasted_calls:,} → {after.wasted_calls:,}",
        f"{before.p95_ms:,.0f} → {after.p95_ms:,.0f} ms",
        f"{before.executed_twice:,} → {after.executed_twice:,}" if scenario.effect is Effect.ONCE else "",
    ]
    return "| " + " | ".join([f"`{scenario.name}`", *told]) + " |"


def main() -> None:
    """Play, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scenarios", nargs="*", type=Path, default=[MONTH], metavar="SCENARIO.toml")
    parser.add_argument("--bundled", action="store_true", help="add a line for each scenario that comes along")
    chosen = parser.parse_args()
    for path in chosen.scenarios:
        table(read_scenario(path))
    if chosen.bundled:
        print("\n| scenario | served | calls that brought nothing | p95 of the served | executed twice |")
        print("|---|---|---|---|---|")
        for name in bundled_scenarios():
            scenario = bundled_scenario(name)
            if scenario.conversion is None:
                print(line(scenario), flush=True)


if __name__ == "__main__":
    main()
