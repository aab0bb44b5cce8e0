"""What is done beside serving while an engine runs, and the alert that stands while some of it fails."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from understudy.engine.ports import Chore
from understudy.events.alerts import CHORE_FAILED
from understudy.events.operations import AlertCleared, AlertRaised

if TYPE_CHECKING:
    from understudy.engine.journal import Journal
    from understudy.engine.runner import Runner

_LONGEST: Final = 500


def begin(runner: "Runner", chores: Sequence[Chore]) -> None:
    """Do chores from here on; the alert of one that is wanted no more has no reason any more."""
    journal = runner.journal
    wanted = {chore.name for chore in chores}
    for name in list(journal.ledger.standing.alerts):
        alert, _, subject = name.partition("|")
        if alert == CHORE_FAILED and subject not in wanted:
            journal.note(AlertCleared(alert=CHORE_FAILED, subject=subject, message="nobody wants it done any more"))
    for chore in chores:
        report = _Report(journal, chore.name)
        runner.spawn(chore.run(journal.log, journal.system, report), name=f"chore {chore.name}")


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
            self._journal.note(AlertCleared(alert=CHORE_FAILED, subject=self._name, message="it is done again"))
