"""How much memory a lane takes whose window of 100 is full: words, name, thresholds and place in the index.

Run: .venv/bin/python benchmarks/bench_lane_memory.py
"""

import tracemalloc
from typing import Final

from understudy.events.policy import Policy, ProviderSettings
from understudy.projections import lane_step as lane
from understudy.projections.lanes import Lanes

LANES: Final = 2_000
POLICY: Final = Policy(lane_by=("country",), providers=(ProviderSettings(id="alpha", has_ping=True),))


def fill(lanes: Lanes, index: int) -> None:
    """Let a window's worth of calls and more go through a lane."""
    at_us = 1_700_000_000_000_000
    base, params = lanes.base(index), lanes.params[index]
    for number in range(POLICY.window + 20):
        at_us += 1_000_000
        lane.start(lanes.state, base, params, at_us, 0)
        lane.end(lanes.state, base, params, lane.SUCCESS, at_us + 300_000 + number, at_us, 300_000 + number, 0)


def main() -> None:
    """Measure and print."""
    names = [f"country-{number}" for number in range(LANES)]
    tracemalloc.start()
    lanes = Lanes(POLICY)
    before, _ = tracemalloc.get_traced_memory()
    for name in names:
        fill(lanes, lanes.index(("alpha", "serve", name)))
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    words = lanes.words * lanes.state.itemsize
    took = (after - before) // len(lanes.keys)
    print(f"a lane with a window of {POLICY.window}: {took} bytes, of which {words} are its words")


if __name__ == "__main__":
    main()
