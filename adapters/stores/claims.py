"""The one rule of idempotency keys: the first claim holds until it expires; then another may."""

from collections.abc import Iterable

from understudy.adapters.stores.entry import Entry
from understudy.events.log import ClaimKey


def named(claim: ClaimKey) -> tuple[str, str, str]:
    """What is claimed: principal, operation, key."""
    return claim.principal, claim.operation, claim.key


def is_free_after(claim: ClaimKey | None, *, at_us: int) -> bool:
    """Whether a key may be claimed anew at an instant, this claim being the last one."""
    return claim is None or claim.expires_at_us <= at_us


def holder(
    stored: ClaimKey | None, pending: Iterable[Entry], *, wanted: tuple[str, str, str], at_us: int
) -> ClaimKey | None:
    """Who holds a key at an instant, after the stored claim and those that wait to be stored."""
    current = stored
    for entry in pending:
        for write in entry.side:
            if isinstance(write, ClaimKey) and named(write) == wanted and is_free_after(current, at_us=entry.row.at_us):
                current = write
    return None if is_free_after(current, at_us=at_us) else current
