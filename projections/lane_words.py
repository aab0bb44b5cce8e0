"""The layout of a lane's record: which word means what, and the codes that go in and come out of `lane_step`.

The state of all lanes is one flat sequence of 64-bit integers: `GLOBAL_WORDS` words for the engine as a whole, then
for each lane `LANE_HEAD` named slots and a window of packed outcomes. Instants and lengths are microseconds; 0 stands
for "never". A window entry packs `latency_us * 8 + bits`.
"""

from typing import Protocol


class Words(Protocol):
    """A mutable sequence of 64-bit integers: an array, a list, or a numpy column."""

    def __getitem__(self, index: int, /) -> int: ...
    def __setitem__(self, index: int, value: int, /) -> None: ...


class Thresholds(Protocol):
    """The parameters of a lane, which a step only reads: a tuple, or a row of a numpy table."""

    def __getitem__(self, index: int, /) -> int: ...


# --- words of the engine as a whole
SHIELD = 0
"""1 while a local fault is suspected: failures count in no streak and open no circuit."""
FAULT_OVER_US = 1
"""When the last suspicion of a local fault was over; failures of calls begun before count in no streak either."""
ALL_USED = 2
USED_BUCKETS = 12
"""Buckets of five seconds: together the last minute. A bucket packs `bucket_number * 2**20 + count`."""
ALL_RETRIED = ALL_USED + USED_BUCKETS
GLOBAL_WORDS = ALL_RETRIED + USED_BUCKETS
BUCKET_US = 5_000_000
COUNT_BITS = 20
MAX_OPENINGS = 40
"""Openings beyond this are counted no further; the rest has long reached its cap."""

# --- slots of a lane
IN_FLIGHT = 0
STARTED = 1
SUCCEEDED = 2
FAILED = 3
THROTTLED = 4
DECLINED = 5
"""Answers that are neither success nor illness: out of stock, rejected, misconfigured and their like."""
ABANDONED = 6
RETRIED = 7
STREAK = 8
"""Failed requests in a row."""
LAST_STARTED_US = 9
LAST_SUCCESS_US = 10
LAST_FAILURE_US = 11
LAST_ENDED_US = 12
"""When the window last took an outcome in."""
OPENED_US = 13
"""When the circuit opened; 0 when it is closed."""
OPEN_UNTIL_US = 14
OPENINGS = 15
"""Openings since the circuit was last closed; the rest doubles with each."""
PROBE_US = 16
"""When the current probe was sent; 0 when there is none."""
NEXT = 17
COUNT = 18
SUCCESSES = 19
TIMED = 20
TIMED_LATENCY_US = 21
"""Sum over the window of the latencies that count in the average: successes, and timed-out calls at their limit."""
SUCCESS_LATENCY_US = 22
FAILURE_LATENCY_US = 23
SINCE_CLOSED = 24
"""Outcomes in the window since the circuit last closed; rates that open a circuit look at these only."""
SINCE_CLOSED_FAILURES = 25
SINCE_CLOSED_SLOW = 26
CLOSED_US = 27
"""When the circuit was last closed; a failure of a call begun before is old news and counts in no streak."""
OPEN_SINCE_US = 28
"""When the circuit was opened that has not been closed since, however often it has been opened anew; 0 when closed."""
USED = 29
LANE_HEAD = USED + USED_BUCKETS

# --- parameters of a lane
P_WINDOW = 0
P_MAX_FAILURES = 1
P_RECOVERY_US = 2
P_RECOVERY_CAP_US = 3
P_FAILURE_BP = 4
"""Failure rate that opens, in basis points; -1 for never. So is the slow rate."""
P_SLOW_US = 5
P_SLOW_BP = 6
P_MIN_CALLS = 7
P_STALE_US = 8
P_PERMIT_US = 9
P_PING_BASE = 10
"""Where the provider's ping lane begins; -1 if it cannot be pinged."""
P_TRUST_PING = 11
P_SERVING = 12
"""1 for a lane of serving calls, whose retries have a budget; 0 for pings and other side calls."""
P_MIN_SUCCESS_BP = 13
P_MAX_AVERAGE_US = 14
"""Below the one, or above the other, a lane is degraded."""
PARAMS = 15

# --- what happened
NOTHING = 0
START = 1
SUCCESS = 2
TRANSIENT = 3
TIMED_OUT = 4
AMBIGUOUS = 5
INVALID_REPLY = 6
THROTTLE = 7
DECLINE = 8
ABANDON = 9
BARRIER = 10
"""In a sealed block: here the row must be read: of thresholds, rests, drills or the shield. No step takes it."""
DRILLED = 16
"""In a sealed block: added to the code of what a drill has touched."""

# --- what a step tells its caller
COUNTED_FAILURE = 1
OPENED = 2
CLOSED = 4
REOPENED = 8

# --- what the circuit says at an instant
IS_CLOSED = 0
IS_OPEN = 1
NEEDS_PING = 2
MAY_PROBE = 3
PROBING = 4

# --- what makes a lane degraded
NOT_DEGRADED = 0
BY_SUCCESS_RATE = 1
BY_RESPONSE_TIME = 2
EVIDENCE = 2
"""Failures, or timed outcomes, that a judgement needs: one outcome says nothing yet."""

# --- bits of a window entry
SUCCESS_BIT = 1
TIMED_BIT = 2
"""Its latency counts in the average: a success, or a failure that took as long as we were ready to wait."""
SLOW_BIT = 4
BITS = 7
LATENCY_SHIFT = 3
