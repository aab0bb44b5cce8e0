"""All lanes in one flat array of 64-bit integers, and the names by which they are found.

A lane is the record of one provider's calls of one class (`serve`, `ping`, `stock`, …), split further by the context
that the policy names in `lane_by`. Lanes come into being with the first call that falls into them, in the order of the
log. An `array` rather than a list: a list would make the whole fold a fifth faster and take four times the
memory. (Long replays spread it out to a list for a while, see `block.fold_blocks`.)
"""

from array import array
from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal
from typing import Any, Final, Self

from understudy.events.decisions import Event
from understudy.events.drills import DrillEnded, DrillStarted
from understudy.events.exact import in_parts
from understudy.events.operations import AlertCleared, AlertRaised, PolicyActivated, ProbeRequested
from understudy.events.policy import Policy, ProviderSettings
from understudy.events.row import Recorded
from understudy.projections import lane_step as lane

LaneKey = tuple[str, ...]
"""(provider, class); where the policy splits a serving lane also by what, and the values: `("alpha", "serve", "country
service", "us", "wa")`. Values that a call does not have are empty."""

Params = tuple[int, ...]
"""The thresholds of a lane, in the order of the `P_…` names; lanes with equal thresholds share one tuple."""

LOCAL_FAULT: Final = "local_fault"
"""The alert during which failures are held against no provider."""

CIRCUITS: Final = ("serve", "quote")
"""The classes whose lanes have a circuit: who cannot be asked for a quote, or to serve, is left alone for a while."""
NEVER: Final = 1 << 62
UNBOUNDED_US: Final = 10**12
"""A length that no average reaches, and that may be multiplied by a window within 64 bits."""
WORD_BYTES: Final = 8


def basis_points(percent: Decimal | None) -> int:
    """A percentage as basis points; -1 for None."""
    return -1 if percent is None else in_parts(percent, 100)


class Lanes:
    """The flat state of every lane, with the thresholds of each.

    Shape:  `state` is as `lane_words` lays it out, `words` long a lane; `params` and `keys` go by the lane's index.
    """

    def __init__(self, policy: Policy) -> None:
        """No lanes yet, under this policy."""
        self.state = array("q", bytes(WORD_BYTES * lane.GLOBAL_WORDS))
        self.params: list[Params] = []
        self.keys: list[LaneKey] = []
        self.places: dict[LaneKey, int] = {}
        self.words = lane.LANE_HEAD + policy.window
        self.kept: dict[str, Any] = {}
        """What a reader has made of a provider's lane and may use again; emptied when thresholds or bases change."""
        self.drilled: set[str] = set()
        """The providers at which a drill makes faults up."""
        self.undrilled: Lanes | None = None
        """While there are any: the same lanes, by the calls that no drill has touched."""
        self.split: tuple[str, ...] = ()
        """What the keys of serving lanes say that they are split by."""
        self._take(policy)

    @classmethod
    def restored(
        cls,
        policy: Policy,
        *,
        keys: Iterable[LaneKey],
        state: Iterable[int],
        drilled: Collection[str] = (),
        undrilled: Iterable[int] = (),
    ) -> Self:
        """The lanes of a snapshot: their keys in order, and the words of `state`, as they are and without drills."""
        lanes = cls(policy)
        lanes.keys = list(keys)
        lanes.places = {key: index for index, key in enumerate(lanes.keys)}
        lanes.state = array("q", state)
        if len(lanes.state) != lanes.base(len(lanes.keys)):
            raise ValueError(f"{len(lanes.state)} words of state do not make {len(lanes.keys)} lanes")
        lanes.params = [lanes.parameters(key) for key in lanes.keys]
        if drilled:
            lanes.drilled = set(drilled)
            lanes.undrilled = cls.restored(policy, keys=lanes.keys, state=undrilled)
        return lanes

    def base(self, index: int) -> int:
        """Where a lane begins in `state`."""
        return lane.GLOBAL_WORDS + index * self.words

    def find(self, key: LaneKey) -> int | None:
        """The index of a lane, None if nothing ever fell into it."""
        return self.places.get(key)

    def index(self, key: LaneKey) -> int:
        """The index of a lane, which is made if it is new."""
        found = self.places.get(key)
        if found is not None:
            return found
        if key[1] in CIRCUITS:
            self.index((key[0], "ping"))  # A circuit asks the ping lane: it must have a place.
        found = len(self.keys)
        self.keys.append(key)
        self.places[key] = found
        self.state.frombytes(bytes(WORD_BYTES * self.words))
        self.params.append(self.parameters(key))
        if self.undrilled is not None:
            self.undrilled.index(key)
        return found

    def of(self, provider: str) -> Iterator[tuple[LaneKey, int]]:
        """The lanes of a provider with their indexes."""
        for index, key in enumerate(self.keys):
            if key[0] == provider:
                yield key, index

    def serving(self, provider: str) -> Iterator[tuple[LaneKey, int]]:
        """The lanes into which a provider's requests may fall, with their indexes."""
        return ((key, index) for key, index in self.of(provider) if key[1] == "serve" and self.in_use(key))

    def in_use(self, key: LaneKey) -> bool:
        """Whether calls still fall into a lane. One that was split otherwise has counts, but no circuit and no say."""
        return key[1] != "serve" or key[2:3] == self.split

    def adopt(self, policy: Policy, at_us: int) -> None:
        """Go on under another policy: thresholds change at once, a new window keeps the latest outcomes.

        Split by other dimensions, serving lanes begin anew: what the earlier ones know is of calls that no later one is
        like, and no call would ever close their circuits, which a call that is under way might open yet.
        """
        if policy.lane_by != self.policy.lane_by:
            self._retire(at_us)
        if policy.window != self.policy.window:
            self._relay(policy.window)
        self._take(policy)
        self.params = [self.parameters(key) for key in self.keys]

    def _retire(self, at_us: int) -> None:
        for index, key in enumerate(self.keys):
            base = self.base(index)
            if key[1] == "serve" and self.state[base + lane.STARTED]:
                lane.close(self.state, base, at_us)
                lane.forget_window(self.state, base)

    def shield(self, since_us: int) -> None:
        """A local fault is suspected: take back the openings since then, and count nothing until `unshield`."""
        self.state[lane.SHIELD] = 1
        for index in range(len(self.keys)):
            base = self.base(index)
            if self.state[base + lane.OPENED_US] >= since_us and self.state[base + lane.OPENINGS] == 1:
                lane.close(self.state, base, since_us)
            self.state[base + lane.STREAK] = 0

    def unshield(self, at_us: int) -> None:
        """The suspicion is over: what was begun or ended while it stood is held against nobody."""
        self.state[lane.SHIELD] = 0
        self.state[lane.FAULT_OVER_US] = at_us
        for index in range(len(self.keys)):
            lane.begin_rates_anew(self.state, self.base(index))

    def end_rest(self, provider: str, at_us: int) -> None:
        """Let the open circuits of a provider rest no longer than until now: they are half-open from here on."""
        for _, index in self.of(provider):
            base = self.base(index)
            if self.state[base + lane.OPENED_US]:
                self.state[base + lane.OPEN_UNTIL_US] = min(self.state[base + lane.OPEN_UNTIL_US], at_us)

    def set_aside(self, provider: str) -> None:
        """A drill begins: from here on the lanes are kept as they would be without it, too."""
        self.drilled.add(provider)
        if self.undrilled is None:
            self.undrilled = Lanes.restored(self.policy, keys=self.keys, state=self.state)

    def put_back(self, provider: str) -> None:
        """A drill is over: the provider's lanes are what they would be if it had touched no call."""
        aside = self.undrilled
        if aside is None:
            return
        for _, index in self.of(provider):
            base = self.base(index)
            self.state[base : base + self.words] = aside.state[base : base + self.words]
        self.kept.pop(provider, None)
        self.drilled.discard(provider)
        if not self.drilled:
            self.state[: lane.GLOBAL_WORDS] = aside.state[: lane.GLOBAL_WORDS]
            self.undrilled = None

    def parameters(self, key: LaneKey) -> Params:
        """The thresholds of a lane, in the order of the `P_…` names."""
        policy = self.policy
        settings = self._settings.get(key[0]) or ProviderSettings(id=key[0])
        in_use = self.in_use(key)
        serving, has_circuit = in_use and key[1] == "serve", in_use and key[1] in CIRCUITS
        recovery_ms = policy.recovery_time_ms if settings.recovery_time_ms is None else settings.recovery_time_ms
        trust = policy.trust_ping if settings.trust_ping is None else settings.trust_ping
        params = (
            policy.window,
            (settings.max_failures or policy.max_failures) if has_circuit else NEVER,
            recovery_ms * 1000,
            # A quote commits to nothing: whoever is silent is asked once a rest, and heard soon when it is back.
            recovery_ms * 1000 if key[1] == "quote" else policy.recovery_time_cap_ms * 1000,
            basis_points(policy.max_failure_rate) if serving else -1,
            -1 if policy.slow_call_ms is None else policy.slow_call_ms * 1000,
            basis_points(policy.max_slow_rate) if serving else -1,
            min(policy.min_calls, policy.window),  # More than the window holds could never be reached.
            policy.stale_after_ms * 1000,
            policy.probe_permit_ms * 1000,
            self.base(self.places[key[0], "ping"]) if has_circuit and settings.has_ping else -1,
            int(trust),
            int(serving),
            basis_points(policy.min_success_rate) if serving else 0,
            policy.max_response_time_ms * 1000 if serving else UNBOUNDED_US,
        )
        return self._shared.setdefault(params, params)

    def window(self, index: int) -> list[int]:
        """The packed outcomes of a lane, oldest first."""
        base = self.base(index)
        count, turn = self.state[base + lane.COUNT], self.state[base + lane.NEXT]
        held = self.state[base + lane.LANE_HEAD : base + self.words]
        return list(held[turn:] + held[:turn] if count == len(held) else held[:count])

    def _take(self, policy: Policy) -> None:
        self.policy = policy
        self.kept.clear()
        self.split = (" ".join(policy.lane_by),) if policy.lane_by else ()
        self._settings = {settings.id: settings for settings in policy.providers}
        self._shared: dict[Params, Params] = {}

    def _relay(self, size: int) -> None:
        windows = [self.window(index) for index in range(len(self.keys))]
        old, old_bases = self.state, [self.base(index) for index in range(len(self.keys))]
        self.words = lane.LANE_HEAD + size
        self.state = old[: lane.GLOBAL_WORDS]
        params = (size,)
        for index, entries in enumerate(windows):
            first, base = old_bases[index], self.base(index)
            self.state.extend(old[first : first + lane.LANE_HEAD])
            self.state.frombytes(bytes(WORD_BYTES * size))
            earlier = max(0, len(entries) - self.state[base + lane.SINCE_CLOSED])
            lane.forget_window(self.state, base)
            for place, entry in enumerate(entries):
                if place == earlier:
                    lane.begin_rates_anew(self.state, base)
                lane.push(self.state, base, params, entry)
            if earlier == len(entries):
                lane.begin_rates_anew(self.state, base)


def turns(event: Event) -> bool:
    """Whether an event changes lanes otherwise than by a step: thresholds, rests, drills, or the shield over all."""
    match event:
        case PolicyActivated() | ProbeRequested():
            return True
        case DrillStarted(provider=provider) | DrillEnded(provider=provider):
            return provider is not None
        case AlertRaised(alert=alert) | AlertCleared(alert=alert):
            return alert == LOCAL_FAULT
        case _:
            return False


def turn(lanes: Lanes, recorded: Recorded) -> None:
    """Do to the lanes what such an event says; any other changes nothing."""
    for own in (lanes, lanes.undrilled):
        if own is not None:
            _turn(own, recorded)
    match recorded.event:
        case DrillStarted(provider=str(provider)):
            lanes.set_aside(provider)
        case DrillEnded(provider=str(provider)):
            lanes.put_back(provider)
        case _:
            pass


def _turn(lanes: Lanes, recorded: Recorded) -> None:
    match recorded.event:
        case PolicyActivated(policy=policy):
            lanes.adopt(policy, recorded.at_us)
        case AlertRaised(alert=alert) if alert == LOCAL_FAULT:
            lanes.shield(recorded.at_us - lanes.policy.local_fault_window_ms * 1000)
        case AlertCleared(alert=alert) if alert == LOCAL_FAULT:
            lanes.unshield(recorded.at_us)
        case ProbeRequested(provider=provider):
            lanes.end_rest(provider, recorded.at_us)
        case _:
            pass
