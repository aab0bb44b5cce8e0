"""What is done beside serving while an engine runs, and the alert that stands while some of it fails."""

import logging
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final

from understudy.engine.courier import read_event
from understudy.engine.ports import Chore
from understudy.events.alerts import CHORE_FAILED
from understudy.events.operations import AlertCleared, AlertRaised
from understudy.events.row import Recorded

if TYPE_CHECKING:
    from understudy.engine.journal import Journal
    from understudy.engine.runner import Runner

logger = logging.getLogger("understudy.chores")

_LONGEST: Final = 500
_ENDED: Final = "from the chore itself; it is done no more until the next start"


def begin(runner: "Runner", chores: Sequence[Chore]) -> None:
    """Do chores from here on; the alert of one that is wanted no more, or had ended, has no reason any more."""
    journal = runner.journal
    wanted = {chore.name for chore in chores}
    for name, seq in list(journal.ledger.standing.alerting.seqs.items()):
        alert, _, subject = name.partition("|")
        if alert == CHORE_FAILED and subject not in wanted:
            journal.note(AlertCleared(alert=CHORE_FAILED, subject=subject, message="nobody wants it done any more"))
        elif alert == CHORE_FAILED and _had_ended(read_event(journal.log, seq)):
            journal.note(AlertCleared(alert=CHORE_FAILED, subject=subject, message="it is begun again"))
    for chore in chores:
        report = _Report(journal, chore.name)
        runner.spawn(_done(chore, chore.run(journal.log, journal.system, report), report), name=f"chore {chore.name}")


async def _done(chore: Chore, work: Coroutine[Any, Any, None], report: "_Report") -> None:
    try:
        await work
    except Exception as error:  # A chore is foreign work: its end ends no engine, and is not passed over either.
        logger.exception("the chore %s has failed, and is done no more until the next start", chore.name)
        report(f"{type(error).__name__} {_ENDED}")


def _had_ended(recorded: Recorded | None) -> bool:
    """Whether an alert told of the end of a chore, which cannot tell itself that all is well."""
    return recorded is not None and isinstance(recorded.event, AlertRaised) and recorded.event.message.endswith(_ENDED)


def expect_distinct(chores: Sequence[Chore]) -> None:
    """Refuse two chores of one name: each would clear the other's alert.

    Errors: ValueError.
    """
    names = [chore.name for chore in chores]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two chores are called {twice!r}; each needs a name of its own")


class _Report:
    """What a chore says it all with: trouble raises its alert, None clears it."""

    def __init__(self, journal: "Journal", name: str) -> None:
        self._journal = journal
        self._name = name

    def __call__(self, trouble: str | None) -> None:
        stands = f"{CHORE_FAILED}|{self._name}" in self._journal.ledger.standing.alerts
        if trouble is not None and not stands:
            self._journal.note(AlertRaised(alert=CHORE_FAILED, subject=self._name, message=trouble[:_LONGEST]))
        if trouble is None and stands:
            self._journal.note(
                AlertCleared(alert=CHORE_FAILED, subject=self._name, message="nothing is wrong with it any more")
            )
