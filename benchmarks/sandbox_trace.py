"""Turn the recorded requests to ten cloud-sandbox providers into a trace for `understudy simulate --trace`.

    python benchmarks/sandbox_trace.py ../shared/data/computesdk_sandbox/requests.csv.gz build/sandbox.csv.gz

A slot is one request that every provider was asked at the same place of a run: (run_written_unix, mode, seq), in
that order. Slots in which one of the providers is missing, or was asked wrongly by the benchmark itself, are left
out. The record has no latency of failures and none of the times within a run, so these are set by the rules below.

Failure classes: `timeout` becomes our `timed_out`, everything else `transient`. Two other readings can be had with
`--throttle` and `--account`; they are no default because the record does not tell how long a throttle or a refusal
for want of quota lasts, and because the references that the figures are compared with know one kind of failure only.
"""

import argparse
import csv
import gzip
import io
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

HEADER = ("slot", "at_s", "provider", "ok", "latency_ms", "failure")
SPACING_S = 0.2
"""Between the slots of one run, for which the record has no times of its own."""
LONGEST_MS = 30_000.0
QUICK_FAILURE_MS = 1_000.0
NOT_THE_PROVIDERS_FAULT = "probe_misconfigured"

SlotKey = tuple[float, str, int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one provider answered in a slot."""

    provider: str
    ok: bool
    latency_ms: float
    error_class: str


def read_slots(path: Path) -> dict[SlotKey, list[Outcome]]:
    """All slots of the record with the outcomes that were the providers' own, in order of the slots."""
    slots: dict[SlotKey, list[Outcome]] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["error_class"] == NOT_THE_PROVIDERS_FAULT:
                continue
            key = (float(row["run_written_unix"]), row["mode"], int(row["seq"]))
            slots.setdefault(key, []).append(outcome(row))
    return dict(sorted(slots.items()))


def outcome(row: Mapping[str, str]) -> Outcome:
    """One line of the record, with a latency in any case."""
    ok = row["ok"] == "1"
    if row["latency_ms"]:
        latency_ms = float(row["latency_ms"])
    else:
        latency_ms = LONGEST_MS if row["error_class"] == "timeout" else QUICK_FAILURE_MS
    return Outcome(row["provider"], ok, min(latency_ms, LONGEST_MS) if ok else latency_ms, row["error_class"])


def complete(slots: Mapping[SlotKey, list[Outcome]]) -> Iterator[tuple[SlotKey, list[Outcome]]]:
    """The slots in which every provider of the record has an outcome."""
    everybody = {one.provider for outcomes in slots.values() for one in outcomes}
    for key, outcomes in slots.items():
        if everybody <= {one.provider for one in outcomes}:
            yield key, sorted(outcomes, key=lambda one: one.provider)


def our_kind(error_class: str, *, throttle: bool, account: bool) -> str:
    """The failure kind of a class of the record; empty for a success."""
    match error_class:
        case "":
            return ""
        case "timeout":
            return "timed_out"
        case "http_429" if throttle:
            return "rate_limited"
        case "quota_or_balance" if account:
            return "insufficient_funds"
        case "auth" if account:
            return "misconfigured"
        case _:
            return "transient"


def write_trace(path: Path, slots: Iterator[tuple[SlotKey, list[Outcome]]], *, throttle: bool, account: bool) -> int:
    """Write the trace, compressed if the name ends in `.gz`; tells how many slots it has."""
    count = 0
    ranks: dict[float, int] = {}
    with path.open("wb") as raw:
        # Neither name nor time go into the archive's header, so that the same input gives the same bytes.
        packed = gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) if path.suffix == ".gz" else raw
        with io.TextIOWrapper(packed, encoding="utf-8", newline="") as text:
            lines = csv.writer(text, lineterminator="\n")
            lines.writerow(HEADER)
            for (run, _, _), outcomes in slots:
                rank = ranks.get(run, 0)
                ranks[run] = rank + 1
                count += 1
                for one in outcomes:
                    kind = our_kind(one.error_class, throttle=throttle, account=account)
                    at_s = f"{run + SPACING_S * rank:.3f}"
                    lines.writerow((count, at_s, one.provider, int(one.ok), f"{one.latency_ms:.1f}", kind))
    return count


def main() -> None:
    """Read the two paths from the command line and do it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("input", type=Path, help="requests.csv.gz of the record")
    parser.add_argument("output", type=Path, help="where the trace goes; .csv or .csv.gz")
    parser.add_argument("--throttle", action="store_true", help="read HTTP 429 as rate_limited, not as transient")
    parser.add_argument(
        "--account", action="store_true", help="read quota and auth as account trouble, not as transient"
    )
    chosen = parser.parse_args()
    if not chosen.input.is_file():
        sys.exit(f"{chosen.input}: there is no such file")
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    slots = complete(read_slots(chosen.input))
    count = write_trace(chosen.output, slots, throttle=chosen.throttle, account=chosen.account)
    print(f"{count} slots written to {chosen.output}")


if __name__ == "__main__":
    main()
