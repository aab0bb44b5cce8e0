"""The table of endings: what each way a call can end does to the record, and what happens next by effect class.

`tests/engine/test_endings.py` runs every cell as a spec; `tools/print_endings.py` prints `docs/endings.md` from the
same data.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from understudy.events.vocabulary import AbandonReason, Effect, FailureKind


class EffectClass(StrEnum):
    """What repeating an operation would do, and whether the provider can be asked what became of it."""

    READ = "`read`"
    IDEMPOTENT = "`idempotent`"
    IDEMPOTENT_BLIND = "`idempotent`, no look-up"
    FREE = "`idempotent`, free to abandon"
    ONCE = "`once`"
    ONCE_BLIND = "`once`, no look-up"

    @property
    def effect(self) -> Effect:
        return Effect(self.value.split("`")[1])

    @property
    def has_lookup(self) -> bool:
        return "no look-up" not in self.value


class Next(StrEnum):
    """What follows at once from an ending."""

    DONE = "served"
    AGAIN = "again here"
    OTHER = "next provider"
    WAIT = "wait for it"
    LOOK_UP = "look up"
    SUSPEND = "suspend"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One ending.

    Shape:  `counts` is what it is to the success rate, `average` whether its time counts in the average response,
            `streak` what becomes of a streak of 1. `stock`, `out` and `alert` tell what else is believed from then on.
            `first` is what follows while tries are left here, `then` when none are; by effect class.
    """

    name: str
    counts: str = "-"
    average: str = "-"
    streak: int = 1
    stock: str = "-"
    out: str = "-"
    alert: str = "-"
    first: Mapping[EffectClass, Next]
    then: Mapping[EffectClass, Next]


CLASSES: Final = tuple(EffectClass)


def _all(what: Next) -> dict[EffectClass, Next]:
    return dict.fromkeys(CLASSES, what)


_IN_DOUBT: Final = {
    EffectClass.READ: Next.OTHER,
    EffectClass.IDEMPOTENT: Next.LOOK_UP,
    EffectClass.IDEMPOTENT_BLIND: Next.SUSPEND,
    EffectClass.FREE: Next.OTHER,
    EffectClass.ONCE: Next.LOOK_UP,
    EffectClass.ONCE_BLIND: Next.SUSPEND,
}
"""What follows from a call that may have been executed, when it is not tried again."""

_AGAIN_UNLESS_ONCE: Final = _all(Next.AGAIN) | {
    EffectClass.ONCE: Next.LOOK_UP,
    EffectClass.ONCE_BLIND: Next.SUSPEND,
}

_GIVEN_UP: Final = _all(Next.FAIL) | {EffectClass.ONCE: Next.LOOK_UP, EffectClass.ONCE_BLIND: Next.SUSPEND}


ROWS: Final[Mapping[FailureKind | AbandonReason | None, Row]] = {
    None: Row(
        name="success", counts="success", average="counts", streak=0, first=_all(Next.DONE), then=_all(Next.DONE)
    ),
    FailureKind.TRANSIENT: Row(
        name="`transient`", counts="failure", streak=2, first=_all(Next.AGAIN), then=_all(Next.OTHER)
    ),
    FailureKind.TIMED_OUT: Row(
        name="`timed_out`",
        counts="failure",
        average="at its limit",
        streak=2,
        first=_AGAIN_UNLESS_ONCE,
        then=_IN_DOUBT,
    ),
    FailureKind.AMBIGUOUS: Row(
        name="`ambiguous`", counts="failure", average="counts", streak=2, first=_AGAIN_UNLESS_ONCE, then=_IN_DOUBT
    ),
    FailureKind.INVALID_REPLY: Row(name="`invalid_reply`", counts="failure", streak=2, first=_IN_DOUBT, then=_IN_DOUBT),
    FailureKind.RATE_LIMITED: Row(
        name="`rate_limited`", out="until its time", first=_all(Next.OTHER), then=_all(Next.OTHER)
    ),
    FailureKind.OUT_OF_STOCK: Row(
        name="`out_of_stock`",
        stock="none left",
        out="while the belief lasts",
        first=_all(Next.OTHER),
        then=_all(Next.OTHER),
    ),
    FailureKind.NOT_OFFERED: Row(name="`not_offered`", first=_all(Next.OTHER), then=_all(Next.OTHER)),
    FailureKind.TOO_EXPENSIVE: Row(name="`too_expensive`", first=_all(Next.OTHER), then=_all(Next.OTHER)),
    FailureKind.INSUFFICIENT_FUNDS: Row(
        name="`insufficient_funds`",
        out="for a rest, or until an answer",
        alert="insufficient_funds",
        first=_all(Next.OTHER),
        then=_all(Next.OTHER),
    ),
    FailureKind.MISCONFIGURED: Row(
        name="`misconfigured`",
        out="until fixed",
        alert="misconfigured",
        first=_all(Next.OTHER),
        then=_all(Next.OTHER),
    ),
    FailureKind.REJECTED: Row(name="`rejected`", first=_all(Next.FAIL), then=_all(Next.FAIL)),
    AbandonReason.CANCELLED: Row(name="abandoned: the caller went away", first=_GIVEN_UP, then=_GIVEN_UP),
    AbandonReason.CRASHED: Row(name="abandoned: the engine crashed", first=_GIVEN_UP, then=_GIVEN_UP),
    AbandonReason.NOT_SENT: Row(name="abandoned: never sent", first=_all(Next.FAIL), then=_all(Next.FAIL)),
    AbandonReason.OUT_OF_TIME: Row(
        name="abandoned: sent with too little time left", first=_AGAIN_UNLESS_ONCE, then=_IN_DOUBT
    ),
}
"""Every ending there is. None stands for success."""


def markdown() -> str:
    """The table as a page of the documentation."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield "# How calls end, and what follows"
    yield ""
    yield "Printed from the table that the tests run (`tests/endings_table.py`) by `tools/print_endings.py`."
    yield ""
    yield "## What an ending says about the provider"
    yield ""
    yield "The streak counts failed requests in a row: several tries of one request at one provider count once."
    yield ""
    columns = ("ending", "success rate", "average response", "streak", "stock", "not asked", "alert")
    yield from _table(columns, ((row.name, *_marks(row)) for row in ROWS.values()))
    yield ""
    yield "## What happens to the request"
    yield ""
    yield "While tries are left at the same provider, the time allows one, and its circuit has stayed closed:"
    yield ""
    names = tuple(one.value for one in CLASSES)
    yield from _table(("ending", *names), ((row.name, *(row.first[one] for one in CLASSES)) for row in ROWS.values()))
    yield ""
    yield "When none is left:"
    yield ""
    yield from _table(("ending", *names), ((row.name, *(row.then[one] for one in CLASSES)) for row in ROWS.values()))
    yield ""
    yield from _NOTES


_NOTES: Final = (
    "- *again here*: after a back-off, under the same key, within the retry budget.",
    "- *next provider*: a new decision, in which those who let the request down are vetoed as `already_tried`. One",
    "  that throttles is not among them: when nobody else is left, the request waits for its time,",
    "  and goes out as one of few at first (`slow_start`).",
    "- *look up*: the provider is asked what became of the call. Proven absent or failed: next provider. Succeeded:",
    "  served. Anything else: looked up again, and suspended at the deadline.",
    "- *suspend*: the caller is told that the outcome is unknown; nobody else is asked until it is known.",
    "- An `idempotent` write that any try may have executed stays with its provider, whatever a later try there ends",
    "  in, unless it is free to abandon.",
    "- Never sent: the call was intended, and its intent not on record in time, so the provider was not contacted and",
    "  nothing was executed. The table has what follows where the log cannot be written, or the caller went away",
    "  meanwhile. Where the intent was on record in the end, but after the call's own limit, the request is decided",
    "  anew, as often as its tries and its deadline allow.",
    "- Sent with too little time left: after a wait in line, or after others, a call had less than nine tenths of what",
    "  a fresh request gives it, and less than four times what it usually takes; or its caller never gave it even the",
    "  usual time. It was no probe, and others are served, or fewer were forgiven before it than open a circuit.",
    "  To the request it is timed out.",
    "- Abandoned by its caller or by a crash: nobody waits for the request any more; it is settled in the background.",
)


def _marks(row: Row) -> tuple[str, ...]:
    streak = {0: "resets", 1: "-", 2: "+1"}[row.streak]
    return (row.counts, row.average, streak, row.stock, row.out, row.alert)


def _table(columns: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
