"""The settings that can be changed at a SQL prompt: one row, which an UPDATE changes and the engine then follows.

Plain SQL cannot go on with the chain of the events. So an UPDATE of the view is checked by a trigger, shown at once by
the row, and put into the inbox as a command; the engine turns that into an event and writes the row anew, unless it has
been updated again meanwhile.
"""

import sqlite3
from typing import Final

from understudy.events.log import StorePreferences
from understudy.events.policy import Policy
from understudy.events.preferences import MUST, PREFERENCES, preferences_of

_WHOLE: Final = "typeof(NEW.{0}) <> 'integer' OR NEW.{0} NOT BETWEEN {1} AND {2}"
_SWITCH: Final = "NEW.{0} IS NULL OR NEW.{0} NOT IN (0, 1)"
_CHECKS: Final = (
    ("NEW.id IS NOT OLD.id", "the one row of provider_preferences keeps its id"),
    ("NEW.updated_at IS NOT OLD.updated_at", "updated_at is kept by Understudy; leave it out"),
    (
        "NEW.preferred_provider IS NOT NULL AND NEW.preferred_provider NOT IN (SELECT provider FROM provider_facts)",
        "preferred_provider must be NULL or a provider of: SELECT provider FROM provider_health",
    ),
    *(
        (wrong, f"{name} {MUST[name]}")
        for name, wrong in {
            "fallback_enabled": _SWITCH.format("fallback_enabled"),
            "retry_attempts": _WHOLE.format("retry_attempts", 0, 20),
            "retry_delay_ms": _WHOLE.format("retry_delay_ms", 0, 10**10),
            "min_success_rate": "typeof(NEW.min_success_rate) NOT IN ('integer', 'real')"
            " OR NEW.min_success_rate NOT BETWEEN 0 AND 100",
            "max_response_time_ms": _WHOLE.format("max_response_time_ms", 0, 10**10),
            "free_price_enabled": _SWITCH.format("free_price_enabled"),
        }.items()
    ),
)
_TOLD: Final = {
    "fallback_enabled": "CASE WHEN NEW.fallback_enabled THEN 'true' ELSE 'false' END",
    "free_price_enabled": "CASE WHEN NEW.free_price_enabled THEN 'true' ELSE 'false' END",
    "min_success_rate": "json_quote(printf('%.15g', NEW.min_success_rate))",
}
"""How a value is told in JSON, where its own way will not do: a rate goes as the decimal that was typed, to all the
digits that SQLite keeps of it."""

_CHANGES: Final = " UNION ALL ".join(
    f"SELECT '{name}' AS name, {_TOLD.get(name, f'json_quote(NEW.{name})')} AS value WHERE NEW.{name} IS NOT OLD.{name}"
    for name in PREFERENCES
)


def _refuse(doing: str) -> str:
    return f"""CREATE TRIGGER provider_preferences_{doing.lower()} INSTEAD OF {doing} ON provider_preferences BEGIN
        SELECT RAISE(ABORT, 'provider_preferences always has exactly one row: UPDATE it');
    END"""


STATEMENTS: Final = (
    """CREATE TABLE preferences (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        preferred_provider TEXT,
        fallback_enabled INTEGER NOT NULL,
        retry_attempts INTEGER NOT NULL,
        retry_delay_ms INTEGER NOT NULL,
        min_success_rate NUMERIC NOT NULL,
        max_response_time_ms INTEGER NOT NULL,
        free_price_enabled INTEGER NOT NULL,
        updated_at_us INTEGER NOT NULL
    )""",
    f"""CREATE VIEW provider_preferences AS SELECT id, {", ".join(PREFERENCES)},
        strftime('%Y-%m-%d %H:%M:%f', NULLIF(updated_at_us, 0) / 1000000.0, 'unixepoch') AS updated_at
    FROM preferences""",
    f"""CREATE TRIGGER provider_preferences_update INSTEAD OF UPDATE ON provider_preferences BEGIN
        {" ".join(f"SELECT CASE WHEN {wrong} THEN RAISE(ABORT, '{told}') END;" for wrong, told in _CHECKS)}
        INSERT INTO inbox (body)
            SELECT json_object('command', 'set_preferences', 'actor', 'sql', 'reason', 'UPDATE provider_preferences',
                'changes', json(changes))
            FROM (SELECT json_group_object(name, json(value)) AS changes FROM ({_CHANGES}))
            WHERE changes <> '{{}}';
        UPDATE preferences SET {", ".join(f"{name} = NEW.{name}" for name in PREFERENCES)},
            updated_at_us = CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER);
    END""",
    _refuse("INSERT"),
    _refuse("DELETE"),
)

_STORE: Final = f"""INSERT INTO preferences (id, {", ".join(PREFERENCES)}, updated_at_us)
    SELECT 1, {", ".join(f":{name}" for name in PREFERENCES)}, :updated_at_us
    WHERE NOT EXISTS (
        SELECT 1 FROM inbox WHERE json_valid(body) AND json_extract(body, '$.command') = 'set_preferences')
    ON CONFLICT (id) DO UPDATE SET
        {", ".join(f"{name} = excluded.{name}" for name in PREFERENCES)}, updated_at_us = excluded.updated_at_us"""


def store(connection: sqlite3.Connection, write: StorePreferences, *, at_us: int) -> None:
    """Write the row anew, unless somebody has updated it again, and the engine has yet to hear of that."""
    rate = float(write.preferences["min_success_rate"])  # For people; the event has the decimal.
    connection.execute(_STORE, {**write.preferences, "min_success_rate": rate, "updated_at_us": at_us})


def lay_row(connection: sqlite3.Connection) -> None:
    """The row of a new store: what holds unless it is changed."""
    store(connection, StorePreferences(preferences=preferences_of(Policy())), at_us=0)
