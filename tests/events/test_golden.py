"""Rows as they were written once: each must decode for ever, to the same event, and be written the same way again.

`golden/KIND.json` is a list of rows of one kind. Rows are added, never changed: for new examples by
`PYTHONPATH=tests python tests/events/test_golden.py`, which writes those that are missing and touches no other.
"""

import json
from dataclasses import fields
from pathlib import Path

import pytest
from event_samples import EXAMPLES

from understudy.events.codec import KINDS, decode, encode
from understudy.events.operations import PolicyActivated
from understudy.events.row import COLUMNS, Row

GOLDEN = Path(__file__).with_name("golden")
FILES = sorted(GOLDEN.glob("*.json"))


def rows(path: Path) -> list[Row]:
    found: list[Row] = [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
    return found


def test_every_kind_has_a_golden_file() -> None:
    missing = sorted(set(KINDS) - {path.stem for path in FILES})
    assert not missing, f"{missing} have no golden file: run PYTHONPATH=tests python tests/events/test_golden.py"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_row_decodes_for_ever(path: Path) -> None:
    for row in rows(path):
        event = decode(row)
        again = encode(event, seq=row.seq, at_us=row.at_us)
        assert again == row or event.kind != row.kind or _tells_all(again, row)


def _tells_all(again: Row, row: Row) -> bool:
    """Whether a policy is written again with all that it was written with; it has got more settings since."""
    assert row.kind == PolicyActivated.kind
    return again[:-1] == row[:-1] and _holds(json.loads(again.payload), json.loads(row.payload))


def _holds(more: object, less: object) -> bool:
    match more, less:
        case dict(), dict():
            return all(name in more and _holds(more[name], value) for name, value in less.items())
        case list(), list():
            return len(more) == len(less) and all(map(_holds, more, less))
        case _:
            return more == less


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_row_decodes_to_what_was_meant(path: Path) -> None:
    if path.stem in EXAMPLES:
        assert [decode(row) for row in rows(path)][: len(EXAMPLES[path.stem])] == list(EXAMPLES[path.stem])


@pytest.mark.parametrize("kind", KINDS)
def test_the_golden_rows_of_a_kind_fill_every_field_of_it(kind: str) -> None:
    filled: set[str] = set()
    for row in rows(GOLDEN / f"{kind}.json"):
        filled |= json.loads(row.payload).keys()
        filled |= {name for name in COLUMNS if getattr(row, name) is not None}
    assert {field.name for field in fields(KINDS[kind])} <= filled


if __name__ == "__main__":
    for name, events in EXAMPLES.items():
        path = GOLDEN / f"{name}.json"
        kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        new = [encode(event, seq=7, at_us=1_700_000_000_000_000)._asdict() for event in events[len(kept) :]]
        if new:
            path.write_text(json.dumps([*kept, *new], indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
