"""What people find at a SQL prompt beside the events: three views, with the columns of document A.

`provider_requests` is a view over the events themselves. `provider_health` is computed when it is asked for, from the
instants and counts that each commit leaves in `provider_facts`: so it is true on an idle system, too. The one row of
`provider_preferences` can be updated: see `preferences_table`.
"""

from typing import Final

from understudy.adapters.stores import preferences_table

FACTS_SEQ: Final = 0
"""No event has this place. A row of `events` with it is none: its payload goes to `provider_facts`, in the same
statement as the events that it sums up, because each further statement would cost more than that."""
ALL: Final = "all"
"""The kind of such a row that tells of all providers, not only of some."""

_NOW_US: Final = "CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)"


def utc(instant_us: str) -> str:
    """An instant as text that compares with `datetime('now', …)`; NULL for 0, which is never."""
    return f"strftime('%Y-%m-%d %H:%M:%f', NULLIF({instant_us}, 0) / 1000000.0, 'unixepoch')"


def _of(json: str, *names: str) -> str:
    # `json ->> name` is not known to every SQLite that people have.
    return f"json_extract({json}, '$.{'.'.join(names)}')"


def _of_whole(json: str, *names: str) -> str:
    """The same of text that may be damaged: then it is nothing, and not the end of every answer."""
    return f"CASE WHEN json_valid({json}) THEN {_of(json, *names)} END"


_FACTS: Final = (
    "CREATE TABLE provider_facts (provider TEXT PRIMARY KEY, facts TEXT NOT NULL) WITHOUT ROWID",
    f"""CREATE TRIGGER events_facts BEFORE INSERT ON events WHEN NEW.seq = {FACTS_SEQ} BEGIN
        DELETE FROM provider_facts WHERE NEW.kind = '{ALL}'
            OR provider IN (SELECT {_of("value", "provider")} FROM json_each(NEW.payload));
        INSERT INTO provider_facts SELECT {_of("value", "provider")}, value FROM json_each(NEW.payload);
        SELECT RAISE(IGNORE);
    END""",
)


def _refuse(view: str, doing: str, why: str) -> str:
    name = f"{view}_{doing.lower()}"
    return f"CREATE TRIGGER {name} INSTEAD OF {doing} ON {view} BEGIN SELECT RAISE(ABORT, '{view} {why}'); END"


_REQUESTS: Final = f"""CREATE VIEW provider_requests AS SELECT
    position AS id,
    provider,
    operation AS request_type,
    attempt,
    outcome = 'success' AS success,
    (latency_us + 500) / 1000 AS response_time_ms,
    CASE WHEN outcome <> 'success' THEN
        COALESCE(
            {_of_whole("payload", "message")}, {_of_whole("payload", "code")}, {_of_whole("payload", "reason")}, outcome
        )
    END AS error_message,
    CASE WHEN operation = 'rent' AND outcome = 'success' THEN COALESCE({_of_whole("payload", "reference")}, rental_id)
        ELSE rental_id END AS rental_id,
    service,
    country,
    request_id,
    {utc("at_us")} AS created_at,
    cost,
    outcome,
    retry,
    latency_us,
    at_us
FROM events WHERE outcome IS NOT NULL"""


_NOW: Final = "now!"
_UNTIL: Final = f"""CASE verdict
    WHEN 'forced_open' THEN {_of("facts", "forced_until_us")}
    WHEN 'drained' THEN {_of("facts", "forced_until_us")}
    WHEN 'insufficient_funds' THEN {_of("facts", "unfunded_until_us")}
    WHEN 'throttled' THEN {_of("facts", "throttled_until_us")}
    WHEN 'circuit_open' THEN {_of("lane", "open_until_us")}
    WHEN 'circuit_half_open_probe_under_way' THEN {_of("lane", "permit_until_us")}
    WHEN 'quotes_fail' THEN CASE
        WHEN now_us < {_of("facts", "quotes", "open_until_us")} THEN {_of("facts", "quotes", "open_until_us")}
        WHEN pinged_us < {_of("facts", "quotes", "open_until_us")} THEN NULL
        ELSE {_of("facts", "quotes", "permit_until_us")} END
    END"""
"""When a verdict ends; NULL where that is not a matter of time alone."""

_HEALTH: Final = f"""WITH clock AS (SELECT {_NOW} AS now_us, (SELECT MAX(at_us) FROM events) AS last_us),
    lanes AS (SELECT
        provider, facts, one.value AS lane,
        CASE WHEN {_of("facts", "as_of_us")} >= last_us THEN {_of("facts", "as_of_us")} ELSE now_us END AS now_us
        FROM provider_facts, clock, json_each(facts, '$.lanes') AS one),
    looked_at AS (SELECT
        provider, facts, lane, now_us,
        {_of("facts", "pinged_us")} AS pinged_us,
        {_of("facts", "trust_ping")} AS trust_ping,
        CASE WHEN now_us < COALESCE({_of("facts", "forced_until_us")}, now_us + 1)
            THEN {_of("facts", "forced")} END AS forced,
        now_us - {_of("lane", "ended_us")} AS idle_us,
        now_us - NULLIF({_of("lane", "success_us")}, 0) AS since_success_us
        FROM lanes),
    circuits AS (SELECT
        *,
        CASE
            WHEN {_of("lane", "opened_us")} = 0 THEN 'closed'
            WHEN now_us < {_of("lane", "open_until_us")} THEN 'open'
            WHEN pinged_us < {_of("lane", "open_until_us")} THEN 'half-open'
            WHEN pinged_us IS NOT NULL AND trust_ping THEN 'closed'
            ELSE 'half-open' END AS circuit,
        CASE
            WHEN {_of("facts", "quotes", "opened_us")} = 0 THEN 0
            WHEN now_us < {_of("facts", "quotes", "open_until_us")} THEN 1
            WHEN pinged_us < {_of("facts", "quotes", "open_until_us")} THEN 1
            WHEN pinged_us IS NOT NULL AND trust_ping THEN 0
            ELSE now_us < {_of("facts", "quotes", "permit_until_us")} END AS quotes_fail,
        {_of("lane", "count")} > 0 AND idle_us < {_of("lane", "stale_us")} AS is_known,
        CASE
            WHEN since_success_us IS NULL OR since_success_us < 3600000000 THEN 5000
            WHEN since_success_us > 86400000000 THEN -10000
            ELSE 0 END AS recency_points
        FROM looked_at),
    judged AS (SELECT
        *,
        CASE
            WHEN {_of("facts", "misconfigured")} OR forced IN ('open', 'drain') THEN 2
            WHEN forced IS NULL AND ({_of("facts", "pings_fail")} OR circuit <> 'closed') THEN 2
            WHEN quotes_fail THEN 2
            ELSE is_known AND {_of("lane", "degraded")} AND idle_us < {_of("lane", "recovery_us")} END AS severity,
        MAX(0, MIN(100000, CASE WHEN is_known THEN
            {_of("lane", "rate_points")} + {_of("lane", "speed_points")} + recency_points ELSE 115000 END)) AS points,
        CASE
            WHEN forced = 'open' THEN 'forced_open'
            WHEN forced = 'drain' THEN 'drained'
            WHEN {_of("facts", "misconfigured")} THEN 'misconfigured'
            WHEN now_us < {_of("facts", "unfunded_until_us")} THEN 'insufficient_funds'
            WHEN forced IS NULL AND {_of("facts", "pings_fail")} THEN 'pings_fail'
            WHEN now_us < {_of("facts", "throttled_until_us")} THEN 'throttled'
            WHEN forced IS NULL AND circuit = 'open' THEN 'circuit_open'
            WHEN forced IS NULL AND circuit = 'half-open' AND pinged_us < {_of("lane", "open_until_us")}
                THEN 'circuit_half_open_awaits_ping'
            WHEN forced IS NULL AND circuit = 'half-open' AND now_us < {_of("lane", "permit_until_us")}
                THEN 'circuit_half_open_probe_under_way'
            WHEN quotes_fail THEN 'quotes_fail'
            WHEN forced IS NULL AND circuit = 'half-open' THEN 'probe'
            ELSE 'eligible' END AS verdict
        FROM circuits),
    worst AS (SELECT
        *,
        MAX(2 * (severity * 1000000 - points) + is_known) AS ill,
        SUM({_of("lane", "retried")}) AS retries,
        SUM({_of("lane", "succeeded")}) AS succeeded,
        SUM({_of("lane", "failed")}) AS failed,
        SUM({_of("lane", "throttled")} + {_of("lane", "declined")} + {_of("lane", "abandoned")}) AS others
        FROM judged GROUP BY provider)
    SELECT
        provider,
        CASE severity WHEN 2 THEN 'unavailable' WHEN 1 THEN 'degraded' ELSE 'healthy' END AS status,
        CASE WHEN is_known THEN ROUND({_of("lane", "success_bp")} / 100.0, 2) END AS success_rate,
        CASE WHEN is_known AND {_of("lane", "timed")} > 0
            THEN ({_of("lane", "average_us")} + 500) / 1000 END AS avg_response_time_ms,
        retries,
        succeeded + failed + others AS total_requests,
        succeeded AS successful_requests,
        failed AS failed_requests,
        {utc(_of("facts", "success_us"))} AS last_success_at,
        {utc(_of("facts", "failure_us"))} AS last_failure_at,
        {utc(_of("facts", "checked_us"))} AS last_checked_at,
        circuit,
        ROUND(points / 1000.0, 2) AS score,
        verdict,
        {utc(_UNTIL)} AS until
    FROM worst ORDER BY {_of("facts", "place")}"""


def health_view(now_us: str = _NOW_US) -> str:
    """The SELECT behind `provider_health`, at an instant that is given as an SQL expression.

    It comes to what `engine.health` says at that instant, which a test holds it to. A provider whose record is split by
    context (`lane_by`) is as its worst lane is, with the counts of all its lanes: MAX picks the row of the others.
    Providers whose facts say as of when they are to be judged (a simulation's) are judged as of then, unless there has
    been an event since.
    """
    return _HEALTH.replace(_NOW, now_us)


_INDEXES: Final = (
    f"ALTER TABLE events ADD COLUMN cost AS ({_of_whole('payload', 'cost')}) VIRTUAL",
    "DROP INDEX IF EXISTS events_outcome",
    # How a provider has been doing: the ended calls only, and all that most reports ask of them.
    "CREATE INDEX events_outcome ON events (provider, at_us, outcome, latency_us, operation) WHERE outcome IS NOT NULL",
    # What it charges; the payload of no other event is looked into.
    """CREATE INDEX events_cost ON events (provider, operation, at_us, outcome, cost)
    WHERE outcome = 'success' AND cost IS NOT NULL""",
)

STATEMENTS: Final = (
    *_INDEXES,
    *_FACTS,
    _REQUESTS,
    _refuse("provider_requests", "INSERT", "is what the log says: only the engine adds to it, by calling providers"),
    _refuse("provider_requests", "UPDATE", "is what the log says: what has happened cannot be changed"),
    _refuse("provider_requests", "DELETE", "is what the log says: what has happened cannot be removed"),
    f"CREATE VIEW provider_health AS {health_view()}",
    *(
        _refuse("provider_health", doing, "is computed from the log: to force a state, use `understudy override`")
        for doing in ("INSERT", "UPDATE", "DELETE")
    ),
    *preferences_table.STATEMENTS,
)
"""All that is created, in this order."""
