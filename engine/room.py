"""Whether the log has room for one more request: what it may have to take down must always fit."""

from understudy.engine.journal import Journal
from understudy.engine.quoting import most_rounds
from understudy.events.counted import counted
from understudy.events.errors import LogUnavailable
from understudy.events.policy import Policy


def has_room(journal: Journal, each: int) -> bool:
    """Whether the log has room for all events of one more request, besides those under way; each may need so many."""
    log = journal.log
    return log.pending + (len(journal.ledger.requests) + 1) * each <= log.capacity


async def make_room(journal: Journal, each: int) -> None:
    """Wait until what is pending is durable.

    Errors: LogUnavailable if too many requests are under way, or the log cannot be written.
    """
    log = journal.log
    await log.durable(log.head.seq)
    log.check()
    under_way = len(journal.ledger.requests)
    if (under_way + 1) * each > log.capacity:
        raise LogUnavailable(
            f"{counted(under_way, 'request')} under way, as many as the log's buffer holds; try again later"
        )


def events_of_a_request(policy: Policy) -> int:
    """How many events a request may add before it is settled or held: bounds what must always fit."""
    providers = policy.max_providers or len(policy.providers)
    a_round = 1 + 2 * min(len(policy.providers), policy.max_parallel_requests)
    quotes = most_rounds(policy) * a_round if any(one.has_quote for one in policy.providers) else 0
    return 8 + providers * (policy.retry_attempts + 2) * 7 + quotes
