"""What a drill that runs means to a doctor: it is told before all else, and nobody is ill for what it does."""

from collections.abc import Iterator

from understudy.adapters.cli.finding import Finding, Verdict
from understudy.adapters.cli.instants import iso
from understudy.engine.drill_commands import ended
from understudy.engine.drills import running
from understudy.events.drills import DrillEnd
from understudy.events.row import Recorded
from understudy.projections.standing import Standing


def drills_found(standing: Standing, *, owner: str | None) -> Iterator[Finding]:
    """Every drill that runs, or that its engine has left open when it crashed; nothing where there is none."""
    for drill in running(standing):
        what = f"{drill.drill}, {drill.form}{f' of {drill.provider}' if drill.provider is not None else ''}"
        runs = f"runs until {iso(drill.until_us)}" if owner is not None else "is open; the next start ends it"
        says = f"{what}, {runs} (by {drill.actor}: {drill.reason}); what it does to calls is no symptom"
        yield Finding("drills", Verdict.ADVICE, says)


def alert_found(standing: Standing, name: str, *, since_us: int) -> Finding:
    """An alert that stands: advice, unless a drill that runs at its provider may have brought it about."""
    alert, _, subject = name.partition("|")
    says = f"{alert}{f' about {subject}' if subject else ''}, since {iso(since_us)}"
    drill = standing.alerting.drilled.get(name)
    if drill is not None and any(drill == one.drill for one in standing.drills.values()):
        return Finding("alerts", Verdict.FINE, f"{says}; {drill} runs there")
    return Finding("alerts", Verdict.ADVICE, says)


def end_drills(standing: Standing) -> Standing:
    """The standing, changed in place, with every provider as if drills had touched no call of it."""
    for drill in list(running(standing)):
        over = ended(drill, DrillEnd.STOPPED)
        standing.fold(Recorded(standing.seq + 1, standing.at_us, over))
    return standing
