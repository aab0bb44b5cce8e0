"""Drills and their reports in words, in tables and as JSON."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from understudy.adapters.cli.instants import iso, iso_or_none, span
from understudy.adapters.cli.output import answer, answer_json, facts, plain, table
from understudy.engine.chaos import Planned
from understudy.events.codec import decode
from understudy.events.counted import counted
from understudy.events.drills import DrillSkipped, DrillStarted
from understudy.events.log import LogReader
from understudy.replay.drill_report import DrillReport, Held
from understudy.replay.load_report import LoadReport
from understudy.replay.story import ms

_ALL_BP: Final = 10_000
_SECOND_US: Final = 1_000_000
DRILL_COLUMNS: Final = ("drill", "what", "provider", "began", "for", "ended", "by", "why")


def drill_row(held: Held) -> tuple[str, ...]:
    """A drill as a line of a list."""
    drill = held.started
    lasted = "" if held.ended_us is None else span(_to_the_second(held.ended_us - held.at_us))
    return (
        drill.drill if drill.part_of is None else f"{drill.drill} of {drill.part_of}",
        drill.form.value,
        drill.provider or "-",
        iso(held.at_us),
        lasted or span(drill.for_us),
        "runs" if held.ended is None else held.ended.cause.value.replace("_", " "),
        plain(drill.actor),
        plain(drill.reason),
    )


def _to_the_second(length_us: int) -> int:
    """A length to the nearest second: a drill ends some milliseconds late, and is none the longer for it."""
    return max(1, (length_us + _SECOND_US // 2) // _SECOND_US) * _SECOND_US


def drill_json(held: Held) -> dict[str, object]:
    """A drill as JSON."""
    drill, ended = held.started, held.ended
    return {
        "drill": drill.drill,
        "form": drill.form.value,
        "provider": drill.provider,
        "part_of": drill.part_of,
        "began": iso(held.at_us),
        "until": iso(drill.until_us),
        "ended": iso_or_none(held.ended_us),
        "cause": None if ended is None else ended.cause.value,
        "actor": drill.actor,
        "reason": drill.reason,
        "seed": drill.seed,
        "line": drill.line,
    }


def skipped_of(reader: LogReader) -> list[DrillSkipped]:
    """The drills of the schedule that were not held."""
    events = (decode(row) for row in reader.operations(DrillSkipped.kind))
    return [event for event in events if isinstance(event, DrillSkipped)]


def said_of(drill: DrillStarted) -> str:
    """What a drill does, in a few words."""
    share = "all calls" if drill.share_bp == _ALL_BP else f"{drill.share_bp / 100:g} % of calls"
    told = f"{drill.form} of {drill.provider}, {share}" if drill.provider is not None else f"{drill.form}"
    lengths = {"held back for": drill.delay_us, "every": drill.every_us, "pause": drill.retry_after_us}
    for name, length_us in lengths.items():
        told += f", {name} {span(length_us)}" if length_us else ""
    return told


def report_json(report: DrillReport) -> dict[str, object]:
    """What came of a drill, as JSON."""
    return {
        "drill": report.held.started.drill,
        "provider": report.held.started.provider,
        "requests": report.requests,
        "calls_failed": report.failed,
        "calls_held_back": report.held_back,
        "requests_touched": report.touched,
        "requests_lost": report.lost,
        "requests_in_doubt": report.in_doubt,
        "failovers": report.stood_in,
        "added_ms": {name: value / 1000 for name, value in _added(report).items()},
        "noticed_by": report.noticed_by,
        "time_to_detect_ms": _in_ms(report.to_detect_us),
        "time_to_recover_ms": _in_ms(report.to_recover_us),
        "alerts": [{"at": iso(at_us), "alert": one.alert, "subject": one.subject} for at_us, one in report.alerts],
        "alerts_that_did_not_fire": report.silent,
    }


def print_report(db: Path, held: Held, reports: Sequence[DrillReport]) -> None:
    """Tell a person what came of a drill, and of each of its parts."""
    drill = held.started
    end = "it still runs"
    if held.ended is not None:
        end = f"{held.ended.cause.value.replace('_', ' ')} at {iso(held.ended_us or 0)}"
    answer(f"{db}: drill {drill.drill}, {said_of(drill)}")
    facts([("by", plain(f"{drill.actor}: {drill.reason}")), ("began", iso(held.at_us)), ("ended", end)])
    for report in reports:
        answer()
        if report.held is not held:
            answer(f"{report.held.started.drill}: {said_of(report.held.started)}")
        facts([(name, plain(value)) for name, value in _lines(report)])


def tell_load(db: Path, report: LoadReport, *, as_json: bool) -> None:
    """Tell what came of a load."""
    held, times = report.held, {f"p{percent}": report.took(percent) for percent in (50, 95, 99)}
    if as_json:
        told: dict[str, object] = {f"{name}_ms": _in_ms(value) for name, value in times.items()}
        told |= {"sent": report.sent, "served": report.served, "failed": report.failed, "reasons": report.reasons}
        told |= {"calls_failed": report.calls_failed, "by_provider": report.by_provider}
        told |= {"per_second": round(report.per_second, 2), "most_in_a_second": report.most}
        answer_json({"log": str(db), "drill": drill_json(held), "load": told})
        return
    drill = held.started
    answer(f"{db}: drill {drill.drill}, load of {drill.operation}, {drill.per_second} a second wanted")
    by = ", ".join(f"{count:,} by {provider}" for provider, count in sorted(report.by_provider.items()))
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(report.reasons.items()))
    lines = [
        ("by", f"{drill.actor}: {drill.reason}"),
        ("ended", "it still runs" if held.ended is None else held.ended.cause.value.replace("_", " ")),
        ("capacity", f"{report.per_second:,.1f} a second on average, {report.most:,} at most"),
        ("requests", f"{report.sent:,} sent, {report.served:,} served{f' ({by})' if by else ''}"),
        ("failed", f"{report.failed:,}{f' ({reasons})' if reasons else ''}; {report.calls_failed:,} calls"),
        ("answered", ", ".join(f"{name} {'-' if value is None else ms(value)}" for name, value in times.items())),
    ]
    facts([(name, plain(value)) for name, value in lines])


def print_plan(db: Path, planned: Sequence[Planned], *, as_json: bool) -> None:
    """Tell which drills a chaos would hold."""
    if as_json:
        found = [{name: value for name, value in one._asdict().items() if value is not None} for one in planned]
        answer_json({"log": str(db), "plan": found})
        return
    rows = [(span(one.at_ms * 1000), one.form.value, one.provider, span(one.for_ms * 1000)) for one in planned]
    table(("after", "what", "provider", "for"), rows)


def _lines(report: DrillReport) -> list[tuple[str, str]]:
    ended = report.held.ended_us is not None
    stood_in = ", ".join(f"{count:,} by {provider}" for provider, count in sorted(report.stood_in.items()))
    found = [
        ("noticed after", _noticed(report)),
        ("serves again", _length(report.to_recover_us, after="the end") if ended else "it still runs"),
        ("requests", f"{report.requests:,} came; {report.touched:,} of them were touched, and {report.lost:,} lost"),
        ("calls", f"{report.failed:,} made to fail, {report.held_back:,} held back"),
        ("stood in", stood_in or "nobody"),
    ]
    if report.in_doubt:
        found.append(("in doubt", counted(report.in_doubt, "request")))
    if report.added_us:
        added = _added(report)
        found.append(("added", f"{ms(added['median'])} in the middle, {ms(added['most'])} at most"))
    alerts = [f"{one.alert}{f' about {one.subject}' if one.subject else ''}" for _, one in report.alerts]
    found.append(("alerts", ", ".join(alerts) or "none"))
    if report.silent:
        found.append(("not raised", ", ".join(report.silent)))
    return found


def _noticed(report: DrillReport) -> str:
    if report.first_fault_us is None:
        return "no call was touched"
    if report.to_detect_us is None:
        return "it was not noticed"
    return f"{ms(report.to_detect_us)}: {report.noticed_by}"


def _length(length_us: int | None, *, after: str) -> str:
    return "not yet" if length_us is None else f"{ms(length_us)} after {after}"


def _added(report: DrillReport) -> dict[str, int]:
    if not report.added_us:
        return {}
    return {"median": round(median(report.added_us)), "most": max(report.added_us)}


def _in_ms(length_us: int | None) -> float | None:
    return None if length_us is None else length_us / 1000
