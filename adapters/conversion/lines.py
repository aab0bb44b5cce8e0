"""In which line of a JSON file something stands that cannot be used."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from understudy.adapters.config_comments import without_comments
from understudy.adapters.config_faults import Fault
from understudy.events.names import setting

_TOKEN: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|[\[\]{},:]|\n')
_ENTRY: Final = re.compile(r"(?:provider|service) (?:number (?P<number>\d+)|'(?P<name>[^']*)')")
_SERVICES: Final = frozenset({"providers"})

Place = tuple[str | int, ...]


def places(text: str) -> dict[Place, int]:
    """The line of every key, and of every object in a list, of a JSON text that can be read; lines count from 1."""
    found: dict[Place, int] = {}
    way: list[str | int] = []
    kinds: list[str] = []
    line, word = 1, ""
    for piece in _TOKEN.findall(without_comments(text)):
        match piece:
            case "\n":
                line += 1
                continue
            case "{" | "[":
                kinds.append(piece)
                way.append(0 if piece == "[" else "")
            case "}" | "]":
                kinds.pop()
                way.pop()
            case "," if kinds[-1] == "[":
                way[-1] = int(way[-1]) + 1
            case ":":
                way[-1] = word.strip('"')
                found[tuple(way)] = line
            case _:
                word = piece
        if piece == "{":
            found.setdefault(tuple(way[:-1]), line)
    return found


def with_lines(faults: Sequence[Fault], *, text: str, table: str, values: dict[str, Any]) -> list[Fault]:
    """The faults, each with its line where that is known; `values` is what stands in the file under `table`."""
    known = places(text)
    told = []
    for fault in faults:
        line = known.get((table, *_way(fault.where, values)))
        told.append(fault if line is None else replace(fault, where=f"line {line}: {fault.where}"))
    return told


def _way(where: str, values: dict[str, Any]) -> Place:
    """The way to a value, as a fault names it: `maxFailures`, or `provider 'a': weight`."""
    entry, _, key = where.rpartition(": ")
    match = _ENTRY.fullmatch(entry or key)
    if match is None:
        return (entry, key) if entry else (key,)
    services = next((name for name in values if setting(name, known=_SERVICES)), "")
    rest = (key,) if entry else ()
    return (services, _index(match, values.get(services)), *rest)


def _index(match: re.Match[str], services: object) -> str | int:
    """Which of the services an entry is: its number in a list, its name in a table."""
    if match["number"] is not None:
        return int(match["number"]) - 1
    name = match["name"]
    if isinstance(services, list):
        ids = [one.get("id") if isinstance(one, dict) else None for one in services]
        return ids.index(name) if name in ids else -1
    return name
