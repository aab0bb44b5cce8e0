"""The views for people as this version has them: what is missing of them, or is another version's, is laid anew.

They are computed, so nothing is lost with them, and any program may drop one.
"""

import re
import sqlite3
from collections.abc import Iterator
from typing import Final, NamedTuple

from understudy.adapters.stores.read_models import STATEMENTS

_LAYS: Final = re.compile(r"CREATE (VIEW|TRIGGER) (\w+)")


class ViewFaults(NamedTuple):
    """Views and triggers that are not there, and those that are others than this version's."""

    missing: tuple[str, ...]
    other: tuple[str, ...]


def view_faults(connection: sqlite3.Connection) -> ViewFaults:
    """What is wrong with the views of a store that has some.

    Errors: sqlite3.Error.
    """
    laid = _laid(connection)
    missing = tuple(name for name, _ in _wanted() if name not in laid)
    other = tuple(name for name, statement in _wanted() if laid.get(name, statement) != statement)
    return ViewFaults(missing, other)


def renew_views(connection: sqlite3.Connection) -> None:
    """Lay anew what is missing, or is another version's; all or nothing.

    Errors: sqlite3.Error.
    """
    faults = view_faults(connection)
    if faults == ((), ()):
        return
    kinds = {name: statement.split()[1] for name, statement in _wanted()}
    connection.execute("BEGIN IMMEDIATE")
    for name in faults.other:
        connection.execute(f"DROP {kinds[name]} IF EXISTS {name}")  # A view's triggers go with it.
    laid = _laid(connection)
    for name, statement in _wanted():
        if name not in laid:
            connection.execute(statement)
    connection.execute("COMMIT")


def _wanted() -> Iterator[tuple[str, str]]:
    for statement in STATEMENTS:
        if found := _LAYS.match(statement):
            yield found[2], statement


def _laid(connection: sqlite3.Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type IN ('view', 'trigger')"))
