"""A progress bar on standard error, for what takes more than two seconds; nothing where nobody is looking."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, TextIO

PATIENCE_S: Final = 2.0
"""What is done sooner needs no bar."""
_REDRAW_S: Final = 0.1
_WIDTH: Final = 30
_CLEAR: Final = "\r\x1b[K"


class Progress:
    """Call it with what is done and what there is to do; use it in a `with`, which takes the bar away at the end."""

    def __init__(
        self, label: str, *, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._label = label
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._began_s = clock()
        self._next_s = self._began_s + PATIENCE_S
        self._drawn = False
        self._watched = self._stream.isatty()

    def __call__(self, done: int, total: int) -> None:
        """So much is done."""
        now_s = self._clock()
        if not self._watched or now_s < self._next_s:
            return
        self._next_s = now_s + _REDRAW_S
        self._drawn = True
        self._stream.write(f"{_CLEAR}{self._line(done, total, spent_s=now_s - self._began_s)}")
        self._stream.flush()

    def end(self) -> None:
        """Take the bar away, for good: what comes now is the answer."""
        self._watched = False
        if self._drawn:
            self._drawn = False
            self._stream.write(_CLEAR)
            self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def _line(self, done: int, total: int, *, spent_s: float) -> str:
        share = min(1.0, done / total) if total else 0.0
        filled = int(share * _WIDTH)
        bar = "#" * filled + "-" * (_WIDTH - filled)
        left = f", {spent_s / share - spent_s:.0f} s left" if share else ""
        return f"{self._label} [{bar}] {share * 100:3.0f} %{left}"
