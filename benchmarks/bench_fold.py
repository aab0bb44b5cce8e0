"""How fast the fold is: from sealed blocks, plain and compiled, and live from events.

Run: .venv/bin/python benchmarks/bench_fold.py

The stream is made here: five events a request (accepted, decided, started, ended, settled), five providers, two calls
in a hundred fail. Each figure is the best of several passes in processor time: a busy machine only ever adds to it.
"""

import gc
import random
import time
from collections.abc import Callable, Iterator
from typing import Final

from understudy.events.calls import CallFailed, CallStarted, CallSucceeded
from understudy.events.decisions import DecisionMade
from understudy.events.fact import Fact
from understudy.events.log import SealedBlock
from understudy.events.operations import PolicyActivated
from understudy.events.policy import Policy, ProviderSettings
from understudy.events.requests import RequestAccepted, RequestCompleted, RequestFailed
from understudy.events.row import Recorded
from understudy.events.vocabulary import Effect, EndReason, FailureKind, Strategy
from understudy.projections.block import BlockBuilder, fold_blocks, opened
from understudy.projections.compiled import fold_blocks_compiled, kernel
from understudy.projections.lanes import Lanes, turn
from understudy.projections.standing import Standing

REQUESTS: Final = 8_192
PASSES: Final = 7
REPEATS: Final = 20
"""How often the compiled fold goes through the blocks in one pass: once is over before a clock has ticked often."""
PROVIDERS: Final = ("alpha", "beta", "gamma", "delta", "epsilon")
FAILING: Final = 0.02
POLICY: Final = Policy(providers=tuple(ProviderSettings(id=one) for one in PROVIDERS))


def request(number: int, dice: random.Random, *, started_seq: int) -> Iterator[tuple[int, Fact]]:
    """The five events of a request, each with the microseconds since the one before."""
    provider, request_id, latency_us = (
        dice.choice(PROVIDERS),
        f"request-{number}",
        dice.randint(50_000, 900_000),
    )
    yield (
        dice.randint(0, 100_000),
        RequestAccepted(request_id=request_id, operation="rent", effect=Effect.ONCE, deadline_at_us=0, country="us"),
    )
    yield (
        0,
        DecisionMade(
            request_id=request_id,
            provider=provider,
            strategy=Strategy.SCORE,
            draw=number,
            tier=1,
            order=(provider,),
            candidates=(),
        ),
    )
    call = {
        "request_id": request_id,
        "provider": provider,
        "operation": "rent",
        "attempt": 1,
        "country": "us",
    }
    yield 0, CallStarted.of({**call, "key": request_id, "deadline_at_us": 0})
    ended = {**call, "started_seq": started_seq, "latency_us": latency_us}
    if dice.random() < FAILING:
        yield latency_us, CallFailed.of({**ended, "outcome": FailureKind.TRANSIENT})
        yield 0, RequestFailed(request_id=request_id, operation="rent", reason=EndReason.EXHAUSTED, attempt=1)
    else:
        yield latency_us, CallSucceeded.of(ended)
        yield (
            0,
            RequestCompleted(request_id=request_id, operation="rent", provider=provider, attempt=1, failovers=0),
        )


def stream() -> list[Recorded]:
    """The whole stream, the policy first."""
    dice = random.Random(1)
    at_us = 1_700_000_000_000_000
    events = [Recorded(1, at_us, PolicyActivated(policy=POLICY, policy_hash=POLICY.content_hash))]
    for number in range(REQUESTS):
        for step_us, event in request(number, dice, started_seq=len(events) + 3):
            at_us += step_us
            events.append(Recorded(len(events) + 1, at_us, event))
    return events


def sealed(events: list[Recorded]) -> list[SealedBlock]:
    """The stream in blocks."""
    builder, standing, blocks = BlockBuilder(), Standing(), []
    for recorded in events:
        builder.fold(recorded, standing)
        if builder.full:
            blocks.append(builder.seal(standing, chain=b""))
    return blocks


def rate(work: Callable[[], int]) -> float:
    """Events a second, the best of several passes."""
    best = 0.0
    for _ in range(PASSES):
        began = time.process_time()
        best = max(best, work() / (time.process_time() - began))
    return best


def main() -> None:
    """Measure and print."""
    events = stream()
    blocks = sealed(events)
    ready = [opened(block) for block in blocks]
    gc.collect()
    gc.freeze()  # An engine does not keep its events: the collector need not walk ours while we measure.
    count = sum(block.last_seq - block.first_seq + 1 for block in blocks)

    def live() -> int:
        standing = Standing()
        for recorded in events:
            standing.fold(recorded)
        return len(events)

    def plain() -> int:
        lanes = Lanes(Policy())
        fold_blocks(ready, lanes, at_barrier=lambda seq: turn(lanes, events[seq - 1]))
        return count

    def compiled() -> int:
        for _ in range(REPEATS):
            lanes = Lanes(Policy())
            fold_blocks_compiled(ready, lanes, at_barrier=lambda seq: turn(lanes, events[seq - 1]))  # noqa: B023 - called within the turn.
        return count * REPEATS

    kernel()
    compiled()  # The first run compiles.

    def check() -> int:
        return sum(len(opened(block).records) // 48 for block in blocks)

    live_rate, plain_rate, compiled_rate = rate(live), rate(plain), rate(compiled)
    print(f"live, from events          {live_rate / 1e6:8.2f} M events/s  ({1e6 / live_rate:.2f} µs each)")
    print(f"sealed blocks, hashed      {rate(check) / 1e6:8.2f} M events/s")
    print(f"sealed blocks, plain       {plain_rate / 1e6:8.2f} M events/s")
    print(
        f"sealed blocks, compiled    {compiled_rate / 1e6:8.2f} M events/s  ({compiled_rate / plain_rate:.0f} x plain)"
    )


if __name__ == "__main__":
    main()
