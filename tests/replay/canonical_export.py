"""Plays scenarios and prints their logs as JSON lines with the chain head: run by several Pythons and compared."""

import sys

from pydantic_core import to_json

from understudy.adapters.stores import MemoryLog
from understudy.replay.simulate import bundled_scenario, simulate


def export(name: str, seed: int) -> str:
    """The canonical export of a scenario's log."""
    log = MemoryLog(salt=bytes(32))
    simulate(bundled_scenario(name), log=log, seed=seed)
    with log.reader() as reader:
        rows = [to_json(row).decode() for row in reader.rows()]
        return "\n".join((*rows, reader.head().chain.hex(), ""))


if __name__ == "__main__":
    for wanted in sys.argv[2:]:
        sys.stdout.write(export(wanted, int(sys.argv[1])))
