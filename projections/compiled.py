"""The same fold, compiled: `lane_step`'s own code objects, made into machine code by numba for long replays.

Numba compiles a function whose globals are compiled functions, and `lane_step`'s are not. So a small compiler takes
each function apart: the same code object, bound anew to globals in which every function that it calls has been compiled
before. Nothing is written twice, and nothing can drift apart. Needs the optional extra `fast`.
"""

from collections.abc import Callable, Iterable
from functools import cache
from types import FunctionType
from typing import Any

from understudy.projections import lane_step as lane
from understudy.projections.block import AtBarrier, OpenedBlock
from understudy.projections.lanes import Lanes

HOT = frozenset({"step", "start", "end"})
"""Put into the loop itself, which makes it twice as fast; with all the rest compiling would take thrice as long."""

Kernel = Callable[[Any, Any, Any, int], int]
"""`fold_records`, compiled."""


class ExtraMissing(ImportError):
    """The optional extra `fast` is not installed."""


def fold_records(records: Any, state: lane.Words, params: Any, words: int) -> int:
    """Fold records up to the first barrier; tells its row, or the number of rows if there was none.

    Shape:  `records` is a table of n rows by 6 as in `block`, `params` one of a row for each lane.
    """
    for row in range(len(records)):
        code = records[row, 0]
        if code == lane_barrier:
            return row
        if code != lane_nothing:
            index = records[row, 1]
            base = lane_globals + index * words
            step(
                state,
                base,
                params[index],
                code & lane_codes,
                records[row, 2],
                records[row, 3],
                records[row, 4],
                records[row, 5],
            )
    return len(records)


# Names that the compiler can see through; it does not follow a module's attributes.
step = lane.step
lane_barrier = lane.BARRIER
lane_nothing = lane.NOTHING
lane_globals = lane.GLOBAL_WORDS
lane_codes = lane.DRILLED - 1


def compile_bottom_up(function: Callable[..., Any], *, compile_one: Callable[[FunctionType], Any]) -> Any:
    """A function compiled after all that it calls: `compile_one` sees each code object once, the deepest first."""
    done: dict[Any, Any] = {}

    def bind(one: Any) -> Any:
        if one not in done:
            names = {name: one.__globals__.get(name) for name in one.__code__.co_names}
            called = {name: bind(value) for name, value in names.items() if isinstance(value, FunctionType)}
            done[one] = compile_one(FunctionType(one.__code__, {**one.__globals__, **called}, one.__name__))
        return done[one]

    return bind(function)


@cache
def kernel() -> Kernel:
    """`fold_records`, compiled once in a process; takes some seconds.

    Errors: ExtraMissing.
    """
    try:
        import numba  # noqa: PLC0415 - an optional extra.
    except ImportError as error:
        raise ExtraMissing(
            "compiled replay needs numba, which is not installed: pip install 'understudy[fast]'"
        ) from error

    def compile_one(function: FunctionType) -> Any:
        return numba.njit(inline="always" if function.__name__ in HOT else "never")(function)

    compiled: Kernel = compile_bottom_up(fold_records, compile_one=compile_one)
    return compiled


def fold_blocks_compiled(blocks: Iterable[OpenedBlock], lanes: Lanes, *, at_barrier: AtBarrier) -> None:
    """`block.fold_blocks` at the speed of machine code.

    Errors: ExtraMissing.
    """
    fold = kernel()
    import numpy as np  # noqa: PLC0415 - comes with numba.

    params = _table(lanes)
    for block in blocks:
        if len(block.keys) > len(lanes.keys):
            for key in block.keys[len(lanes.keys) :]:
                lanes.index(key)
            params = _table(lanes)
        records = np.frombuffer(block.records, dtype="<i8").reshape(-1, 6)
        while len(records):
            # The state is not copied: numpy looks at the lanes' own memory while the kernel runs.
            done = fold(records, np.frombuffer(lanes.state, dtype=np.int64), params, lanes.words)
            aside = lanes.undrilled
            if aside is not None:
                fold(_untouched(records[:done]), np.frombuffer(aside.state, dtype=np.int64), params, lanes.words)
            if done < len(records):
                at_barrier(int(records[done, 3]))
                params = _table(lanes)
            records = records[done + 1 :]


def _untouched(records: Any) -> Any:
    """The records of what no drill has touched; read-only as the others, or all would be compiled once more."""
    untouched = records[records[:, 0] < lane.DRILLED]
    untouched.flags.writeable = False
    return untouched


def _table(lanes: Lanes) -> Any:
    import numpy as np  # noqa: PLC0415 - comes with numba.

    return np.array(lanes.params, dtype=np.int64).reshape(-1, lane.PARAMS)
