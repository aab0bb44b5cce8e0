"""What Ctrl-C does to a command: at its ends it ends the process at once, in its midst it is an exception."""

import os
import signal

TYPE_CHECKING = False  # As in `understudy.adapters`.
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from types import FrameType

INTERRUPTED = 130
Held = set["int | signal.Signals"]
"""Which signals were held back."""
_LAST_WORDS = b"\nstopped\n"


def end_at_once() -> None:
    """From here on Ctrl-C ends the process on the spot, for there is nothing to tidy up.

    No exception could promise that: there are places where Python and its extensions swallow one while they import.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # Else whoever started us wants it ignored.
        signal.signal(signal.SIGINT, _end)


def raise_again() -> None:
    """From here on Ctrl-C is a KeyboardInterrupt again."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is _end or isinstance(handler, _BetweenSteps):
        signal.signal(signal.SIGINT, signal.default_int_handler)


def raise_between_steps(loop: "AbstractEventLoop") -> None:
    """From here on Ctrl-C ends a loop between two steps of its tasks, until `raise_again`.

    In the midst of one it would be an exception of that task, which has a stop in good order to wait for.
    """
    signal.signal(signal.SIGINT, _BetweenSteps(loop))


def hold_back() -> Held:
    """From here on Ctrl-C waits; what was held back before is returned, for `let_come`."""
    return signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def let_come(before: Held) -> None:
    """From here on Ctrl-C comes again, also one that has waited."""
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _BetweenSteps:
    """A handler of signals that has the loop itself raise, as long as that runs."""

    def __init__(self, loop: "AbstractEventLoop") -> None:
        self._loop = loop

    def __call__(self, number: int, frame: "FrameType | None") -> None:
        if self._loop.is_closed():
            signal.default_int_handler(number, frame)
        self._loop.call_soon_threadsafe(signal.default_int_handler, number, None)


def _end(number: int, frame: "FrameType | None") -> None:
    del number, frame
    os.write(2, _LAST_WORDS)
    os._exit(INTERRUPTED)
