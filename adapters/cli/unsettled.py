"""What is not settled in a log, and who will settle it: the engine that runs, the next one, or only an operator."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from understudy.adapters.cli.logs import policy_in_force
from understudy.adapters.cli.output import answer, answer_wrapped, note, plain
from understudy.adapters.cli.progress import Progress
from understudy.adapters.cli.request_summary import summarized
from understudy.adapters.stores import SqliteReader
from understudy.adapters.stores.lock import owner_of
from understudy.adapters.stores.request_search import Became
from understudy.engine.errors import BrokenRule
from understudy.engine.in_doubt import provider_settings
from understudy.engine.ledger import Ledger
from understudy.engine.outcome import resolve_line
from understudy.engine.recovery import doubt_of_held
from understudy.engine.restore import restore
from understudy.events.errors import UnderstudyError

_SHOWN: Final = 3
"""Requests of which it is shown how they are settled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A suspended request: the provider whose call is in doubt, and whether it can be asked what became of it."""

    request_id: str
    provider: str
    has_lookup: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsettled:
    """The requests of a log that have not ended; those that are under way, or left so by a crash, are `open`."""

    open: int
    held: tuple[Held, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """Who owns a log now, in words; and how many requests are left open because nobody does."""

    owner: str | None
    left_open: int

    def to_json(self) -> dict[str, object]:
        """The same as JSON."""
        return asdict(self)

    def tell(self, db: Path) -> None:
        """Say so on standard error, where requests are open and nobody is there to serve them."""
        if self.left_open:
            what, them = ("request is", "it") if self.left_open == 1 else ("requests are", "them")
            note(f"no engine owns {db}, and {self.left_open:,} {what} open: the next start of an engine settles {them}")


def unsettled(ledger: Ledger) -> Unsettled:
    """What is not settled at the place of a ledger."""
    held = tuple(_held(ledger))
    return Unsettled(open=len(ledger.requests) - len(held), held=held)


def ownership(db: Path, reader: SqliteReader, *, known: Unsettled | None = None) -> Ownership:
    """Who owns the log; `known` is what is not settled at its end, found out where it is wanted and not given.

    A log too broken to tell has none left open: `verify` tells what is wrong with it.
    Errors: LogUnavailable if it cannot be seen who owns it.
    """
    owner = owner_of(db.resolve())
    if owner is None and known is None:
        with suppress(UnderstudyError, BrokenRule), Progress("folding the log") as progress:
            known = unsettled(restore(reader, progress=progress))
    return Ownership(owner=owner, left_open=known.open if known is not None and owner is None else 0)


def tell_held(db: Path, found: Unsettled) -> None:
    """Say how the requests that are held are settled: by look-ups, or by what an operator has to type."""
    blind = [one for one in found.held if not one.has_lookup]
    if asked := len(found.held) - len(blind):
        what, them = ("request is", "it") if asked == 1 else ("requests are", "them")
        answer_wrapped(f"{asked:,} {what} held until look-ups, or an operator, tell what became of {them}")
    if blind:
        who, them = ("request is held, and its provider has", "it")
        if len(blind) > 1:
            who, them = ("requests are held, and their providers have", "them")
        answer_wrapped(f"{len(blind):,} {who} no look-up: only an operator's word settles {them}, given by")
    for one in blind[:_SHOWN]:
        answer(f"  {by_hand(db, one.request_id)}")
    if len(blind) > _SHOWN:
        answer_wrapped(f"  and so on; `understudy requests {db} --outcome held` lists them")


def needs_a_word(reader: SqliteReader, request_id: str) -> bool:
    """Whether a request is held, and nothing but an operator's word settles it."""
    found = summarized(reader.request_rows(request_id))
    if found.became is not Became.HELD or found.provider is None:
        return False
    return not provider_settings(policy_in_force(reader), found.provider).has_lookup


def by_hand(db: Path, request_id: str) -> str:
    """What an operator types to settle a request."""
    return f"{plain(resolve_line(request_id, file=str(db)))}  (or --not-executed)"


def held_json(found: Unsettled) -> list[dict[str, object]]:
    """The held requests as JSON."""
    return [asdict(one) for one in found.held]


def _held(ledger: Ledger) -> Iterator[Held]:
    for request_id in ledger.requests:
        if (doubt := doubt_of_held(ledger, request_id)) is not None:
            provider = doubt.turn.provider
            has_lookup = provider_settings(ledger.standing.policy, provider).has_lookup
            yield Held(request_id=request_id, provider=provider, has_lookup=has_lookup)
