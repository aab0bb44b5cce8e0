"""How an engine begins: what it is goes on record, and what an earlier run has left open is taken up again."""

from collections.abc import Mapping
from functools import partial

from understudy.engine import recovery
from understudy.engine.aftercare import watched_tickets
from understudy.engine.decide import RULES_VERSION
from understudy.engine.drilling import end_all
from understudy.engine.health_facts import tell
from understudy.engine.journal import Journal
from understudy.engine.operation import Operation
from understudy.engine.ports import Identity
from understudy.engine.preferences import preferred, take_over
from understudy.engine.runner import Runner
from understudy.events.drills import DrillEnd
from understudy.events.operations import EngineStarted
from understudy.events.policy import Policy


def begin(journal: Journal, identity: Identity, configured: Policy) -> Policy:
    """Put on record who writes from here on, by which rules and policy: as configured, and as operators have set."""
    standing = journal.ledger.standing
    journal.log.describe_with(partial(tell, standing))
    journal.note(
        EngineStarted(
            version=identity.version,
            rules_version=RULES_VERSION,
            python=identity.python,
            writer=identity.writer,
        )
    )
    take_over(journal, preferred(configured, standing))
    end_all(journal, DrillEnd.CRASHED)
    return standing.policy


async def resume(runner: Runner, operations: Mapping[str, Operation]) -> None:
    """Close what a crash has left open, settle what may have been executed, and see to what nobody has a use for."""
    journal = runner.journal
    for event in recovery.interruptions(journal.ledger, journal.now_us()):
        journal.note(event)
    unsettled = await recovery.tickets(journal, operations)
    for ticket in await watched_tickets(journal, operations):
        runner.watch(ticket)
    for ticket in unsettled:
        runner.spawn(runner.settle(ticket), name=f"settle {ticket.request_id}")
    runner.undo()
