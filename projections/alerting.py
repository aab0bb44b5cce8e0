"""What is known of alerts beyond that they stand: silences, what each channel is owed, and shares of failovers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, Self

from understudy.events.alerts import DIGEST, MEASURED, AlertSilenced, DigestDue, Told

MOST_OWED: Final = 1_000
"""Notices that one channel may be owed; beyond that the oldest is."""


class Owed(NamedTuple):
    """What a channel has not taken yet: what is told, and of which alert (`alert|subject`).

    `drill` is the drill that ran at its provider when it was raised, where a drill may bring such an alert about.
    `early`: people may have been told before it was on record; no silence that began since keeps that from them.
    """

    told: str
    name: str
    drill: str | None = None
    early: bool = False


@dataclass(slots=True)
class FailoverShare:
    """Which of the latest requests of an operation were served after a failover: a bit each, the latest the lowest."""

    bits: int = 0
    requests: int = 0

    def count(self, failovers: int, *, most: int) -> None:
        """One more request has been served."""
        if failovers == 0 and self.bits == 0 and self.requests == most:
            return  # As nearly always: nothing changes.
        self.bits = (self.bits << 1 | (failovers > 0)) & ((1 << most) - 1)
        self.requests = min(self.requests + 1, most)

    @property
    def failed_over(self) -> int:
        """How many were."""
        return self.bits.bit_count()


@dataclass(slots=True)
class Alerting:
    """Silences, deliveries and shares.

    Shape:  names are `alert|subject`; a silence of all subjects goes by the alert's name alone.
    """

    measured: int = 0
    """How many alerts stand that hold a figure against a mark."""
    seqs: dict[str, int] = field(default_factory=dict)
    """The event that raised each alert that stands."""
    drilled: dict[str, str] = field(default_factory=dict)
    """Alerts that stand and were raised while a drill ran that may bring them about, with its id."""
    silences: dict[str, AlertSilenced] = field(default_factory=dict)
    muted: dict[str, int] = field(default_factory=dict)
    """Alerts that stand and were raised in silence, with the event that raised each."""
    attended: bool = False
    """Whether an engine runs, which tells people of whatever was raised in a silence as soon as that is over."""
    hushed: bool = False
    """Whether the alert that was cleared last was raised in a silence that lasted."""
    owed: dict[str, dict[int, Owed]] = field(default_factory=dict)
    """By channel what it has not taken yet, by event."""
    digest_day_us: int = 0
    """The first instant of the day whose page was due last; 0 if there was none."""
    shares: dict[str, FailoverShare] = field(default_factory=dict)
    """By operation how its latest requests were served."""
    shares_aside: dict[str, FailoverShare] | None = None
    """While drills run: the same of the requests alone that no drill has touched."""
    drills_seq: int = 0
    """The event with which the drills that run began, or those that ran last."""
    touched: dict[str, str] = field(default_factory=dict)
    """Requests that have not ended, and of which a drill has touched a call; the drill by the request."""

    def drills_begin(self, seq: int) -> None:
        """A drill begins, and none ran: what requests fail over for from here on may be made up."""
        self.shares_aside = {operation: replace(share) for operation, share in self.shares.items()}
        self.drills_seq = seq

    def drills_are_over(self) -> None:
        """The last drill is over: requests that any has touched count in no share."""
        if self.shares_aside is not None:
            self.shares, self.shares_aside = self.shares_aside, None

    def served(self, request_id: str, operation: str, failovers: int, *, most: int) -> None:
        """A request has been served: one that a drill has touched counts in what lasts as long as drills run alone."""
        if not self.touched and self.shares_aside is None:
            (self.shares.get(operation) or self.share(operation)).count(failovers, most=most)
            return
        is_touched = self.touched.pop(request_id, None) is not None
        if self.shares_aside is not None:
            self.share(operation).count(failovers, most=most)
            if not is_touched:
                self.shares_aside.setdefault(operation, FailoverShare()).count(failovers, most=most)
        elif not is_touched:
            self.share(operation).count(failovers, most=most)

    def engine_starts(self, at_us: int) -> None:
        """An engine takes over: it tells people of whatever stands and is not silenced."""
        self.attended = True
        self._forget_told(at_us)

    def share(self, operation: str) -> FailoverShare:
        """How the latest requests of an operation were served; made if it is new."""
        return self.shares.setdefault(operation, FailoverShare())

    def silenced_until_us(self, name: str, at_us: int) -> int:
        """Until when an alert is silenced at an instant; 0 if it is not."""
        found = (self.silences.get(name), self.silences.get(name.partition("|")[0]))
        return max((one.until_us for one in found if one is not None and one.until_us > at_us), default=0)

    def raised(self, name: str, seq: int, *, at_us: int, drill: str | None = None, early: bool = False) -> None:
        """An alert has been raised, maybe by what a drill makes up; `early` if people have been told before."""
        if drill is not None:
            self.drilled[name] = drill
        self.measured += name.partition("|")[0] in MEASURED and name not in self.seqs
        self.seqs[name] = seq
        if not early and self.silenced_until_us(name, at_us):
            self.muted[name] = seq
        self._owe(seq, Owed(Told.RAISED, name, drill, early))

    def cleared(self, name: str, seq: int, *, at_us: int) -> None:
        """It is over. Who has not been told of it in its silence need not be told that."""
        raised, drill = self.seqs.pop(name, None), self.drilled.pop(name, None)
        silent = bool(self.silenced_until_us(name, at_us))
        self.hushed = silent and name in self.muted
        self.muted.pop(name, None)
        if raised is None:
            return
        self.measured -= name.partition("|")[0] in MEASURED
        for owed in self.owed.values():
            if silent and raised in owed and not owed[raised].early:
                del owed[raised]
            else:
                _add(owed, seq, Owed(Told.CLEARED, name, drill))

    def silence(self, event: AlertSilenced, *, at_us: int) -> None:
        """Nobody is to hear of it; what was over before anybody heard of it is owed no more."""
        if self.attended:
            self._forget_told(at_us)
        self.silences = {key: one for key, one in self.silences.items() if one.until_us > at_us}
        key = silence_key(event.alert, event.subject)
        self.silences[key] = event
        for owed in self.owed.values():
            heard_of = set()
            for seq, one in list(owed.items()):
                if key not in {one.name, one.name.partition("|")[0]}:
                    continue
                told_before = one.told == Told.CLEARED and one.name not in heard_of
                heard_of.add(one.name)
                if not told_before and self.seqs.get(one.name) != seq:
                    del owed[seq]

    def lift(self, alert: str, subject: str | None) -> None:
        """A silence is over."""
        self.silences.pop(silence_key(alert, subject), None)

    def tell_by(self, channels: Iterable[str]) -> None:
        """There are other channels: a new one is owed what stands."""
        in_order = sorted(self.seqs.items(), key=lambda one: one[1])
        standing = {seq: Owed(Told.RAISED, name, self.drilled.get(name)) for name, seq in in_order}
        self.owed = {one: self.owed[one] if one in self.owed else dict(standing) for one in channels}

    def digest(self, event: DigestDue, seq: int) -> None:
        """The page of a day is due."""
        self.digest_day_us = event.day_us
        self._owe(seq, Owed(Told.DIGEST, f"{DIGEST}|{event.day}"))

    def due(self, channel: str, at_us: int) -> tuple[int, Owed] | None:
        """What a channel is to be told next at an instant; None if there is nothing, or only what is silenced."""
        for seq, one in self.owed.get(channel, {}).items():
            if self.may_tell(one, at_us):
                return seq, one
        return None

    def may_tell(self, one: Owed, at_us: int) -> bool:
        """Whether no silence keeps a channel from it at an instant."""
        return one.told != Told.RAISED or one.early or not self.silenced_until_us(one.name, at_us)

    def next_end_us(self, at_us: int) -> int | None:
        """When the next silence ends, after an instant."""
        return min((one.until_us for one in self.silences.values() if one.until_us > at_us), default=None)

    @classmethod
    def restored(cls, told: Mapping[str, Any]) -> Self:
        """As it was, read back from JSON.

        Errors: KeyError, TypeError, ValueError if it is none.
        """
        owed = {
            channel: {int(seq): Owed(*one) for seq, one in notices.items()} for channel, notices in told["owed"].items()
        }
        silences = {key: AlertSilenced.of(one) for key, one in told["silences"].items()}
        shares, aside = (told[name] and _shares(told[name]) for name in ("shares", "shares_aside"))
        return cls(**{**told, "owed": owed, "silences": silences, "shares": shares, "shares_aside": aside})

    def _forget_told(self, at_us: int) -> None:
        """What was raised in a silence that is over has been told since."""
        self.muted = {name: seq for name, seq in self.muted.items() if self.silenced_until_us(name, at_us)}

    def _owe(self, seq: int, one: Owed) -> None:
        for owed in self.owed.values():
            _add(owed, seq, one)


def silence_key(alert: str, subject: str | None) -> str:
    """The name that a silence goes by."""
    return alert if subject is None else f"{alert}|{subject}"


def _shares(told: Mapping[str, Any]) -> dict[str, FailoverShare]:
    return {operation: FailoverShare(**share) for operation, share in told.items()}


def _add(owed: dict[int, Owed], seq: int, one: Owed) -> None:
    owed[seq] = one
    if len(owed) > MOST_OWED:
        del owed[next(iter(owed))]
