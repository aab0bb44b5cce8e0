"""The recorded trace through the real engine: mean time to success and success rate, over ten seeds.

    python benchmarks/bench_trace.py [INPUT] [--seeds N] [--strategies score,fastest,round_robin]

INPUT is the record as downloaded (`requests.csv.gz`), or a trace; by default the record in ../shared/data.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean

from sandbox_trace import complete, read_slots, write_trace

from understudy.adapters.stores import MemoryLog
from understudy.events.policy import Policy
from understudy.events.vocabulary import Strategy
from understudy.replay.simulate import simulate_trace
from understudy.replay.verify import verify

RECORD = Path(__file__).resolve().parents[2] / "shared" / "data" / "computesdk_sandbox" / "requests.csv.gz"
REACH = {Strategy.SCORE: (900, 860), Strategy.FASTEST: (600, 400)}
"""Milliseconds to reach, and to aim at."""


def main() -> None:
    """Play the trace for each strategy and seed, and print one line a strategy."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("input", type=Path, nargs="?", default=RECORD, help="requests.csv.gz, or a trace")
    parser.add_argument("--seeds", type=int, default=10, help="how many seeds to average over (10)")
    parser.add_argument("--strategies", default="score,fastest,round_robin", help="comma-separated")
    parser.add_argument("--verify", action="store_true", help="verify the log of each strategy's first run")
    chosen = parser.parse_args()
    if not chosen.input.is_file():
        sys.exit(f"{chosen.input}: not there; give the path of the record or of a trace")
    with tempfile.TemporaryDirectory() as folder:
        trace = as_trace(chosen.input, Path(folder))
        for name in chosen.strategies.split(","):
            play(trace, Strategy(name), seeds=chosen.seeds, verifying=chosen.verify)


def as_trace(path: Path, folder: Path) -> Path:
    """The input itself if it is a trace, else a trace made of it."""
    if not path.name.startswith("requests"):
        return path
    trace = folder / "trace.csv"
    write_trace(trace, complete(read_slots(path)), throttle=False, account=False)
    return trace


def play(trace: Path, strategy: Strategy, *, seeds: int, verifying: bool) -> None:
    """One strategy over all seeds."""
    reports = []
    began = time.perf_counter()
    for seed in range(1, seeds + 1):
        policy = Policy(strategy=strategy)
        checking = verify if verifying and seed == 1 else None
        reports.append(simulate_trace(trace, log=MemoryLog(), policy=policy, seed=seed, verify=checking))
    took_s = (time.perf_counter() - began) / seeds
    means = [report.mean_ms for report in reports]
    success = mean(report.success_rate for report in reports)
    reach = REACH.get(strategy)
    goal = f"  (reach {reach[0]}, aim {reach[1]}; success 99.98 %)" if reach else ""
    print(
        f"{strategy:12} mean {mean(means):7.1f} ms [{min(means):.0f}-{max(means):.0f}]  success {success:.4%}"
        f"  {mean(report.calls_per_request for report in reports):.3f} calls/request  {took_s:.1f} s a run{goal}"
    )
    if verifying:
        print(f"{'':12} first run verified: {reports[0].verify}")


if __name__ == "__main__":
    main()
