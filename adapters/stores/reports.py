"""Reports: each is one SQL statement over the read models, which anybody may run at a prompt, and change.

Instants are bounded by `at_us`, a column of `provider_requests` besides those of document A, because the events are
indexed by it; `created_at > datetime('now', '-24 hours')` says the same, more slowly.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from understudy.adapters.stores import schema
from understudy.adapters.stores.event_search import Progress, in_silence
from understudy.adapters.stores.faults import unreadable
from understudy.adapters.stores.sqlite_reader import SqliteReader
from understudy.adapters.stores.views import view_faults
from understudy.events.errors import LogUnavailable, NotALog
from understudy.events.vocabulary import SIDE_OPERATIONS

_SINCE: Final = "{since}"
_SERVING: Final = f"request_type NOT IN ({', '.join(repr(one) for one in sorted(SIDE_OPERATIONS))})"
"""Calls that are to serve a request, as `provider_health` counts them: neither pings, quotes, lists and look-ups, nor
what is asked about something that a provider has already given."""
TOUCHED: Final = """
    SELECT touched.position FROM events AS drill JOIN events AS touched ON touched.provider = drill.provider
    WHERE drill.kind = 'drill_started.v1' AND drill.request_id IS NULL AND touched.outcome IS NOT NULL
      AND touched.at_us BETWEEN drill.at_us AND json_extract(drill.payload, '$.until_us') + 3600000000
      AND CASE WHEN json_valid(touched.payload) THEN json_extract(touched.payload, '$.drill') END IS NOT NULL"""
"""The calls that drills have touched, by their position; none is looked into but drilled providers' at the time."""
_NO_DRILL: Final = f"id NOT IN ({TOUCHED})"
NEVER_US: Final = 2**63 - 1
"""The instant since which there has been nothing yet."""
_DECISIONS: Final = 10_000
"""Decisions that a diagnosis looks at: the latest ones, each with all its candidates."""


Answer = tuple[Sequence[str], Sequence[Sequence[Any]]]
"""The names of the columns, and the rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A question that people ask of a log.

    Shape:  `sql` has a place for the instant since when, in microseconds, if the answer depends on one.
    """

    asks: str
    sql: str

    @property
    def looks_back(self) -> bool:
        """Whether the answer depends on an instant since when."""
        return _SINCE in self.sql

    def since(self, since_us: int) -> str:
        """The statement as it is run."""
        return self.sql.replace(_SINCE, str(since_us))


REPORTS: Final[Mapping[str, Report]] = {
    "providers": Report(
        asks="How do the providers compare?",
        sql="""SELECT
  provider,
  status,
  success_rate || '%' AS success_rate,
  avg_response_time_ms || 'ms' AS avg_response,
  successful_requests || '/' || total_requests AS success_total,
  ROUND((julianday('now') - julianday(last_checked_at)) * 1440, 1) || ' mins ago' AS last_check
FROM provider_health
ORDER BY provider_health.success_rate DESC""",
    ),
    "hourly": Report(
        asks="How many calls were there each hour, and how did they go?",
        sql=f"""SELECT
  provider,
  strftime('%Y-%m-%d %H:00:00', at_us / 3600000000 * 3600, 'unixepoch') AS hour,
  COUNT(*) AS total,
  SUM(success) AS successful,
  ROUND(AVG(latency_us) / 1000) AS avg_ms
FROM provider_requests
WHERE at_us > {_SINCE}
  AND {_NO_DRILL}
GROUP BY provider, at_us / 3600000000
ORDER BY hour DESC, provider""",
    ),
    "failures": Report(
        asks="What do providers fail with?",
        sql=f"""SELECT
  provider,
  request_type,
  error_message,
  COUNT(*) AS occurrences
FROM provider_requests
WHERE outcome <> 'success' AND (outcome <> 'abandoned' OR error_message <> 'not_sent') AND at_us > {_SINCE}
  AND {_NO_DRILL}
GROUP BY provider, request_type, error_message
ORDER BY occurrences DESC, provider, request_type, error_message""",
    ),
    "slowest": Report(
        asks="Which operations are slow?",
        sql=f"""SELECT
  provider,
  request_type,
  ROUND(AVG(latency_us) / 1000) AS avg_ms,
  ROUND(MAX(latency_us) / 1000) AS max_ms,
  COUNT(*) AS requests
FROM provider_requests
WHERE at_us > {_SINCE}
  AND {_NO_DRILL}
GROUP BY provider, request_type
ORDER BY avg_ms DESC""",
    ),
    "time-of-day": Report(
        asks="At which hours of the day are providers slow to serve, or fail?",
        sql=f"""SELECT
  provider,
  printf('%02d:00', at_us / 3600000000 % 24) AS hour_utc,
  COUNT(*) AS total,
  ROUND(100.0 * SUM(success) / COUNT(*), 2) AS success_rate,
  ROUND(AVG(latency_us) / 1000) AS avg_ms
FROM provider_requests
WHERE {_SERVING}
  AND at_us > {_SINCE}
  AND {_NO_DRILL}
GROUP BY provider, at_us / 3600000000 % 24
ORDER BY provider, hour_utc""",
    ),
    "weekly": Report(
        asks="How well do providers serve from week to week?",
        sql=f"""SELECT
  provider,
  date((at_us / 86400000000 + 3) / 7 * 604800 - 259200, 'unixepoch') AS week_from,
  COUNT(*) AS total,
  ROUND(100.0 * SUM(success) / COUNT(*), 2) AS success_rate,
  ROUND(AVG(latency_us) / 1000) AS avg_ms
FROM provider_requests
WHERE {_SERVING}
  AND at_us > {_SINCE}
  AND {_NO_DRILL}
GROUP BY provider, (at_us / 86400000000 + 3) / 7
ORDER BY provider, week_from""",
    ),
    "failovers": Report(
        asks="From whom to whom do requests fail over, why, and what does it cost in time?",
        sql=f"""WITH calls AS (
  SELECT
    id,
    request_id,
    provider,
    outcome,
    at_us - latency_us AS started_us,
    LAG(provider) OVER in_turn AS last_provider,
    LEAD(provider) OVER in_turn AS next_provider,
    LEAD(at_us - latency_us) OVER in_turn AS next_started_us
  FROM provider_requests
  WHERE request_id IN (SELECT request_id FROM provider_requests WHERE outcome <> 'success' AND +at_us > {_SINCE})
    AND {_SERVING}
    AND {_NO_DRILL}
  WINDOW in_turn AS (PARTITION BY request_id ORDER BY id)
), visits AS (
  SELECT
    *,
    MAX(CASE WHEN provider IS NOT last_provider THEN started_us END)
      OVER (PARTITION BY request_id ORDER BY id) AS began_us
  FROM calls
)
SELECT
  provider AS from_provider,
  next_provider AS to_provider,
  outcome AS reason,
  COUNT(*) AS failovers,
  ROUND(100.0 * COUNT(*) / SUM(COUNT(*)) OVER (), 2) AS share,
  ROUND(AVG(next_started_us - began_us) / 1000) AS extra_ms
FROM visits
WHERE next_provider <> provider
GROUP BY from_provider, to_provider, reason
ORDER BY failovers DESC, from_provider, to_provider, reason""",
    ),
    "cost": Report(
        asks="What does each provider charge, in all and for a success?",
        sql=f"""SELECT
  provider,
  request_type,
  COUNT(*) AS successes,
  ROUND(SUM(cost), 8) AS cost,
  ROUND(SUM(cost) / COUNT(*), 8) AS cost_per_success
FROM provider_requests
WHERE outcome = 'success' AND cost IS NOT NULL AND at_us > {_SINCE}
GROUP BY provider, request_type
ORDER BY cost DESC""",
    ),
    "fallback": Report(
        asks=f"Who was not chosen, and why, in the latest {_DECISIONS:,} decisions?",
        sql=f"""WITH latest AS (
  SELECT payload FROM events WHERE kind = 'decision_made.v1' AND at_us > {_SINCE}
  ORDER BY position DESC LIMIT {_DECISIONS}
)
SELECT
  json_extract(one.value, '$.provider') AS provider,
  CASE json_extract(one.value, '$.rank') WHEN 1 THEN 'chosen' ELSE json_extract(one.value, '$.verdict') END AS verdict,
  json_extract(one.value, '$.degraded') AS degraded_by,
  COUNT(*) AS decisions,
  ROUND(100.0 * COUNT(*) / (SELECT COUNT(*) FROM latest), 2) AS share
FROM latest, json_each(latest.payload, '$.candidates') AS one
GROUP BY provider, verdict, degraded_by
ORDER BY provider, decisions DESC""",
    ),
}
"""Every report by its name, in the order in which they are listed."""

PAGE: Final = ("providers", "failures", "failovers", "slowest", "cost")
"""What the page of a day consists of."""


def ask(path: Path, sql: str) -> Answer:
    """The columns and rows of a statement over the read models of a log, as at any prompt.

    Errors: as of `ask_since`.
    """
    return ask_since(path, [sql], since_us=NEVER_US)[0]


def ask_since(
    path: Path, sqls: Sequence[str], *, since_us: int, archive: Path | None = None, unpacking: Progress = in_silence
) -> list[Answer]:
    """The same of several statements about calls since an instant. Nothing is written.

    Where calls since that instant are archived, the statements are run over archive and log as one; `unpacking` is told
    how far it is with that.
    Errors: NotALog if the file is none, or no engine of this version has written to it yet; LogUnavailable, LogDamaged.
    """
    opened = SqliteReader.open(path, archive=archive, unpacking=unpacking)
    with opened as reader, reader.tables_since(since_us) as connection:
        return _answers(connection, sqls, path)


def _answers(connection: sqlite3.Connection, sqls: Sequence[str], path: Path) -> list[Answer]:
    if not schema.has_read_models(connection):
        raise NotALog(f"{path} was written by an older Understudy; start an engine on it once, and ask again")
    try:
        if missing := view_faults(connection).missing:
            told = f"{path} lacks {missing[0]}, which somebody has dropped"
            raise LogUnavailable(f"{told}; start an engine on it once, which lays it anew, and ask again")
        return [_answer(connection, sql) for sql in sqls]
    except sqlite3.Error as error:
        raise unreadable(f"{path} cannot be read", error) from error


def _answer(connection: sqlite3.Connection, sql: str) -> Answer:
    with closing(connection.execute(sql)) as cursor:
        return [column[0] for column in cursor.description], cursor.fetchall()
