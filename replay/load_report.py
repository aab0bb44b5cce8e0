"""What came of a load: how much of it was served, how soon, and by whom. Its calls are as real as any."""

from collections import Counter
from dataclasses import dataclass, field

from understudy.engine.drill_load import PRINCIPAL
from understudy.events.calls import CallFailed
from understudy.events.codec import skimmed
from understudy.events.log import LogReader
from understudy.events.requests import RequestAccepted, RequestCompleted, RequestFailed
from understudy.replay.drill_report import Held

_MOST_AFTER = 20_000
"""Events after a load among which its last requests may end."""


@dataclass(slots=True, kw_only=True)
class LoadReport:
    """What came of a load.

    Shape:  `sent` requests, of which `served` were answered, by whom `by_provider` tells, and `failed` were not, for
            `reasons`. `calls_failed` counts calls that let it down. `most` is the most answers in a second.
    Units:  `took_us` are lengths of time from acceptance to answer, in order of size; it lasted for `lasted_us`.
    """

    held: Held
    lasted_us: int = 0
    sent: int = 0
    served: int = 0
    failed: int = 0
    calls_failed: int = 0
    most: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    by_provider: Counter[str] = field(default_factory=Counter)
    took_us: list[int] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Answers a second, on average."""
        return self.served * 1_000_000 / self.lasted_us if self.lasted_us else 0.0

    def took(self, percent: int) -> int | None:
        """Within which time so many of a hundred were answered, in microseconds; None if nobody was."""
        return self.took_us[(len(self.took_us) - 1) * percent // 100] if self.took_us else None


def load_report_on(reader: LogReader, held: Held) -> LoadReport:
    """What came of a load, so far if it still runs.

    Errors: UnreadableEvent.
    """
    end = reader.head().seq if held.end_seq is None else held.end_seq
    report, under_way, seconds = LoadReport(held=held), dict[str, int](), Counter[int]()
    last_us = held.at_us
    for row in reader.rows(after=held.seq, through=min(reader.head().seq, end + _MOST_AFTER)):
        if row.seq > end and not under_way:
            break
        last_us = row.at_us if row.seq <= end else last_us
        event = skimmed(row).event
        match event:
            case RequestAccepted() if event.principal == f"{PRINCIPAL}{held.started.drill}":
                report.sent += 1
                under_way[event.request_id] = row.at_us
            case CallFailed() if event.request_id in under_way:
                report.calls_failed += 1
            case RequestCompleted() if event.request_id in under_way:
                report.served += 1
                report.by_provider[event.provider] += 1
                report.took_us.append(row.at_us - under_way.pop(event.request_id))
                seconds[row.at_us // 1_000_000] += 1
            case RequestFailed() if event.request_id in under_way:
                report.failed += 1
                report.reasons[event.reason.value] += 1
                del under_way[event.request_id]
            case _:
                pass
    report.took_us.sort()
    report.most = max(seconds.values(), default=0)
    report.lasted_us = (held.ended_us or last_us) - held.at_us
    return report
