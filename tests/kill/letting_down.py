"""Conversion services that let their callers down when the money has moved."""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from exchange_for_tests import Exchange, Order, Said, exchange

FAULTS: Final = (
    "timeout_before_execution",
    "timeout_after_execution",
    "reset_after_execution",
    "500_after_execution",
    "wrong_json",
    "negative_amount",
    "other_currency",
    "duplicate_success",
)
RATES: Final = {"alpha": "0.0654", "beta": "0.0653", "gamma": "0.0652"}
_LONGER_THAN_ANYBODY_WAITS_S: Final = 5


@dataclass
class LettingDown:
    """A share of the orders, by seeded dice, meets one of the faults."""

    faulty: Sequence[str]
    dice: random.Random
    share: float = 0.3
    met: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def exchange(self) -> Iterator[Exchange]:
        """Three services of this manner, until the end of the block."""
        with exchange(self.answer, **RATES) as books:
            try:
                yield books
            finally:
                self._over.set()

    def answer(self, execute: Callable[[], Order]) -> Said:
        fault = self.dice.choice(self.faulty)
        if self.dice.random() >= self.share:
            return 200, execute()
        self.met += 1
        if fault == "timeout_before_execution":
            self._over.wait(_LONGER_THAN_ANYBODY_WAITS_S)
            return 503, {"error": "too late"}
        return self._let_down(fault, execute(), execute)

    def _let_down(self, fault: str, done: Order, execute: Callable[[], Order]) -> Said:
        match fault:
            case "timeout_after_execution":
                self._over.wait(_LONGER_THAN_ANYBODY_WAITS_S)
                return 200, done
            case "reset_after_execution":
                raise ConnectionResetError
            case "500_after_execution":
                return 500, {"error": "oops"}
            case "wrong_json":
                return 200, '{"id": "x", "toAmount": '
            case "negative_amount":
                return 200, {**done, "toAmount": "-" + done["toAmount"]}
            case "other_currency":
                return 200, {**done, "to": "DOGE"}
            case "duplicate_success":
                return 200, execute()
            case _:
                raise AssertionError(fault)
