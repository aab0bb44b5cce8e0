"""The one step function of a lane: what one more fact about a provider's calls does to its record.

Live, it runs as plain Python on an `array`; the `fast` extra compiles these same code objects with numba. So: integers
only, no calls but to functions of this module, and no uint64.

This is the hottest code of the house. A call costs as much as two reads here, so each function does one fact's whole
work where that fits on a screen, and what happens seldom (a circuit that is not closed, a failure) is put aside.
"""

# ruff: noqa: F405, PLR1730 - the names stand in `lane_words`; `max` would cost a call.
# The words are this module's vocabulary, and its readers': they say `lane_step.STREAK`.
from understudy.projections.lane_words import *  # noqa: F403


def bump(state: Words, slot: int, fresh: int) -> None:
    """Count one more in a bucket; `fresh` is what it holds at this instant while nothing was counted."""
    counted = state[slot]
    state[slot] = counted + 1 if counted >= fresh else fresh + 1


def recent(state: Words, first: int, now_us: int) -> int:
    """How many were counted in the last minute (the current bucket of five seconds and the eleven before)."""
    oldest = now_us // BUCKET_US - USED_BUCKETS + 1
    count = 0
    for slot in range(first, first + USED_BUCKETS):
        if state[slot] >> COUNT_BITS >= oldest:
            count += state[slot] & ((1 << COUNT_BITS) - 1)
    return count


def known(state: Words, base: int, params: Thresholds, now_us: int) -> int:
    """How many outcomes of the window still say something at an instant: none once the lane was unused for too long."""
    if now_us - state[base + LAST_ENDED_US] >= params[P_STALE_US]:
        return 0
    return state[base + COUNT]


def degraded(state: Words, base: int, params: Thresholds) -> int:
    """Which threshold the window misses, if any. One outcome alone is no evidence."""
    count, successes = state[base + COUNT], state[base + SUCCESSES]
    if count - successes >= EVIDENCE and successes * 10_000 < params[P_MIN_SUCCESS_BP] * count:
        return BY_SUCCESS_RATE
    timed = state[base + TIMED]
    if timed >= EVIDENCE and state[base + TIMED_LATENCY_US] > params[P_MAX_AVERAGE_US] * timed:
        return BY_RESPONSE_TIME
    return NOT_DEGRADED


def rested(state: Words, base: int, params: Thresholds, now_us: int) -> bool:
    """Whether the lane was left alone for as long as a circuit rests: what made it degraded may be over."""
    return now_us - state[base + LAST_ENDED_US] >= params[P_RECOVERY_US]


def circuit(state: Words, base: int, params: Thresholds, now_us: int) -> int:
    """What the circuit of a lane says at an instant: a question put to the record, no timer."""
    if state[base + OPENED_US] == 0:
        return IS_CLOSED
    until_us = state[base + OPEN_UNTIL_US]
    if now_us < until_us:
        return IS_OPEN
    ping = params[P_PING_BASE]
    if ping >= 0:
        if state[ping + LAST_SUCCESS_US] < until_us:
            return NEEDS_PING
        if params[P_TRUST_PING] != 0:
            return IS_CLOSED
    probe_us = state[base + PROBE_US]
    if probe_us != 0 and now_us < probe_us + params[P_PERMIT_US]:
        return PROBING
    return MAY_PROBE


def close(state: Words, base: int, at_us: int) -> None:
    """Close the circuit and forget what led to its opening."""
    state[base + OPENED_US] = state[base + OPEN_SINCE_US] = state[base + OPEN_UNTIL_US] = 0
    state[base + OPENINGS] = 0
    state[base + PROBE_US] = 0
    state[base + STREAK] = 0
    state[base + CLOSED_US] = at_us
    begin_rates_anew(state, base)


def begin_rates_anew(state: Words, base: int) -> None:
    """Let the outcomes so far count no longer in the rates that open a circuit."""
    state[base + SINCE_CLOSED] = 0
    state[base + SINCE_CLOSED_FAILURES] = 0
    state[base + SINCE_CLOSED_SLOW] = 0


def settle(state: Words, base: int, params: Thresholds, now_us: int) -> int:
    """Take note that a trusted ping has closed the circuit meanwhile, if it has: then it tells `CLOSED`."""
    if circuit(state, base, params, now_us) != IS_CLOSED:
        return 0
    close(state, base, now_us)
    return CLOSED


def open_up(state: Words, base: int, params: Thresholds, at_us: int) -> None:
    """Open the circuit, for twice as long as the last time if it had not been closed since."""
    cap_us = max(params[P_RECOVERY_CAP_US], params[P_RECOVERY_US])
    rest_us = params[P_RECOVERY_US]
    for _ in range(state[base + OPENINGS]):
        rest_us = min(rest_us * 2, cap_us)
    if state[base + OPENED_US] == 0:
        state[base + OPEN_SINCE_US] = at_us
    state[base + OPENED_US] = at_us
    state[base + OPEN_UNTIL_US] = at_us + rest_us
    state[base + OPENINGS] = min(state[base + OPENINGS] + 1, MAX_OPENINGS)
    state[base + PROBE_US] = 0


def forget_window(state: Words, base: int) -> None:
    """Empty the window: what it held is too old to say anything."""
    for slot in range(base + NEXT, base + CLOSED_US):
        state[slot] = 0


def begin_anew(state: Words, base: int, params: Thresholds, at_us: int) -> None:
    """Forget the window of a lane that was idle for too long, or long enough to have recovered from being degraded.

    Put behind the others, a degraded lane would need a hundred calls to thaw, and get none.
    """
    if at_us - state[base + LAST_ENDED_US] >= params[P_STALE_US] or degraded(state, base, params) != NOT_DEGRADED:
        forget_window(state, base)


def push(state: Words, base: int, params: Thresholds, entry: int) -> None:
    """Take a packed outcome into the window, and the oldest out if it is full."""
    window = params[P_WINDOW]
    turn = state[base + NEXT]
    place = base + LANE_HEAD + turn
    leaving = state[place]
    state[place] = entry
    state[base + NEXT] = turn + 1 if turn + 1 < window else 0
    since_closed = state[base + SINCE_CLOSED]
    if since_closed == window and (leaving ^ entry) & BITS == 0:
        # The usual case by far, one like the other: only the sums of latencies change.
        longer_us = (entry - leaving) >> LATENCY_SHIFT
        state[base + (SUCCESS_LATENCY_US if entry & SUCCESS_BIT else FAILURE_LATENCY_US)] += longer_us
        if entry & TIMED_BIT:
            state[base + TIMED_LATENCY_US] += longer_us
        return
    if state[base + COUNT] < window:
        state[base + COUNT] += 1
    else:
        weigh(state, base, leaving, -1)
    weigh(state, base, entry, 1)
    if since_closed < window:
        state[base + SINCE_CLOSED] += 1
    else:
        weigh_since_closed(state, base, leaving, -1)
    weigh_since_closed(state, base, entry, 1)


def weigh(state: Words, base: int, entry: int, sign: int) -> None:
    """Add an entry to the sums of the window, or take it out."""
    latency_us = sign * (entry >> LATENCY_SHIFT)
    if entry & SUCCESS_BIT:
        state[base + SUCCESSES] += sign
        state[base + SUCCESS_LATENCY_US] += latency_us
    else:
        state[base + FAILURE_LATENCY_US] += latency_us
    if entry & TIMED_BIT:
        state[base + TIMED] += sign
        state[base + TIMED_LATENCY_US] += latency_us


def weigh_since_closed(state: Words, base: int, entry: int, sign: int) -> None:
    """Add an entry to the failures and slow calls since the circuit last closed, or take it out."""
    if not entry & SUCCESS_BIT:
        state[base + SINCE_CLOSED_FAILURES] += sign
    if entry & SLOW_BIT:
        state[base + SINCE_CLOSED_SLOW] += sign


def rates_open(state: Words, base: int, params: Thresholds) -> bool:
    """Whether the failure rate or the slow-call rate since the last closing is reason to open."""
    count = state[base + SINCE_CLOSED]
    if count < params[P_MIN_CALLS]:
        return False
    failing = params[P_FAILURE_BP] >= 0 and state[base + SINCE_CLOSED_FAILURES] * 10_000 >= params[P_FAILURE_BP] * count
    slow = params[P_SLOW_BP] >= 0 and state[base + SINCE_CLOSED_SLOW] * 10_000 >= params[P_SLOW_BP] * count
    return failing or slow


def start(state: Words, base: int, params: Thresholds, at_us: int, retry: int) -> int:
    """A call began."""
    told = 0
    if state[base + OPENED_US] != 0:
        told = settle(state, base, params, at_us)
        if circuit(state, base, params, at_us) == MAY_PROBE:
            state[base + PROBE_US] = at_us
    state[base + IN_FLIGHT] += 1
    state[base + STARTED] += 1
    if state[base + LAST_STARTED_US] < at_us:
        state[base + LAST_STARTED_US] = at_us
    number = at_us // BUCKET_US
    turn, fresh = number % USED_BUCKETS, number << COUNT_BITS
    bump(state, base + USED + turn, fresh)
    if params[P_SERVING] != 0:
        bump(state, ALL_USED + turn, fresh)
    if retry > 0:
        state[base + RETRIED] += 1
        bump(state, ALL_RETRIED + turn, fresh)
    return told


def end(
    state: Words,
    base: int,
    params: Thresholds,
    code: int,
    at_us: int,
    started_us: int,
    latency_us: int,
    retry: int,
) -> int:
    """A call ended, one way or another. `retry` is 0 if no earlier try of the request here counted."""
    told = 0
    opened_us = state[base + OPENED_US]
    if opened_us != 0:
        told = settle(state, base, params, at_us)
        if state[base + PROBE_US] == started_us:
            state[base + PROBE_US] = 0  # If the probe brings no verdict, somebody else may ask.
    state[base + IN_FLIGHT] -= 1
    if code > INVALID_REPLY:
        state[base + (THROTTLED if code == THROTTLE else DECLINED if code == DECLINE else ABANDONED)] += 1
        return told
    ended_us = state[base + LAST_ENDED_US]
    if ended_us < at_us:
        if at_us - ended_us >= params[P_RECOVERY_US] or at_us - ended_us >= params[P_STALE_US]:
            begin_anew(state, base, params, at_us)
        state[base + LAST_ENDED_US] = at_us
    slow = SLOW_BIT if 0 <= params[P_SLOW_US] < latency_us else 0
    if code != SUCCESS:
        timed = TIMED_BIT if code == TIMED_OUT or code == AMBIGUOUS else 0
        push(state, base, params, (latency_us << LATENCY_SHIFT) + timed + slow)
        return told | fail(state, base, params, at_us, started_us, retry)
    push(state, base, params, (latency_us << LATENCY_SHIFT) + (SUCCESS_BIT + TIMED_BIT) + slow)
    state[base + SUCCEEDED] += 1
    if state[base + LAST_SUCCESS_US] < at_us:
        state[base + LAST_SUCCESS_US] = at_us
    state[base + STREAK] = 0
    if slow != 0 or opened_us != 0:
        return told | judge_success(state, base, params, at_us, started_us)
    return told


def judge_success(state: Words, base: int, params: Thresholds, at_us: int, started_us: int) -> int:
    """What a success does to the circuit: begun after the opening, it closes; if slow, it may open."""
    opened_us = state[base + OPENED_US]
    if opened_us != 0:
        if started_us <= opened_us and started_us < state[base + OPEN_UNTIL_US]:
            return 0
        close(state, base, at_us)
        return CLOSED
    if state[SHIELD] == 0 and rates_open(state, base, params):
        open_up(state, base, params, at_us)
        return OPENED
    return 0


def fail(state: Words, base: int, params: Thresholds, at_us: int, started_us: int, retry: int) -> int:
    """A call failed, by the provider's fault: several tries of one request are one in the streak."""
    state[base + FAILED] += 1
    if state[base + LAST_FAILURE_US] < at_us:
        state[base + LAST_FAILURE_US] = at_us
    if state[SHIELD] != 0 or started_us < state[FAULT_OVER_US] or started_us < state[base + CLOSED_US]:
        return 0
    told = 0
    if retry == 0:
        state[base + STREAK] += 1
        told = COUNTED_FAILURE
    if state[base + OPENED_US] == 0:
        if state[base + STREAK] >= params[P_MAX_FAILURES] or rates_open(state, base, params):
            open_up(state, base, params, at_us)
            told |= OPENED
    elif started_us >= state[base + OPEN_UNTIL_US]:
        open_up(state, base, params, at_us)
        told |= REOPENED
    return told


def step(
    state: Words,
    base: int,
    params: Thresholds,
    code: int,
    at_us: int,
    started_us: int,
    latency_us: int,
    retry: int,
) -> int:
    """The lane at `base` after one more fact; tells by bits what changed (`OPENED`, `CLOSED`, …)."""
    if code == NOTHING:
        return 0
    if code == START:
        return start(state, base, params, at_us, retry)
    return end(state, base, params, code, at_us, started_us, latency_us, retry)
