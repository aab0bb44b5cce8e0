"""`understudy note`: what somebody has noticed about a provider, kept for the next one who looks."""

import asyncio
from pathlib import Path

import pytest
from cli.command_line import answered, refused, said
from providers_for_tests import Told

from understudy.adapters.stores import SqliteLog, SqliteReader
from understudy.engine import Engine
from understudy.engine.errors import InvalidRequest
from understudy.engine.restore import restore
from understudy.projections.notes import KEPT
from understudy.replay.verify import verify


def test_a_note_is_on_record_with_its_author_and_shown_where_people_look(own_log: Path) -> None:
    text = said("note", own_log, "alpha", "throttles on Mondays", "--actor", "ann")
    assert text.startswith(f"{own_log}: noted of alpha\n  by     ann: throttles on Mondays\n")
    with SqliteReader.open(own_log) as reader:
        assert verify(reader).ok
    ((note,),) = [one["notes"] for one in answered("status", own_log)["providers"] if one["notes"]]
    assert (note["text"], note["by"]) == ("throttles on Mondays", "ann")
    assert "alpha: noted by ann on 20" in said("status", own_log)
    assert "throttles on Mondays" in " ".join(said("doctor", own_log).split())


def test_in_the_past_nobody_had_noted_it(own_log: Path) -> None:
    said("note", own_log, "alpha", "throttles on Mondays")
    past = answered("status", own_log, "--at", "2026-01-01T00:00:05Z")
    assert [one["notes"] for one in past["providers"]] == [[], []]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("alfa", "text"), "did you mean 'alpha'?"),
        (("alpha", " "), "it is empty; say something that others will understand later"),
        (("alpha", "x" * 501), "it has 501 characters; 500 is the most"),
    ],
)
def test_what_is_no_note_is_refused(words: tuple[str, str], told: str, own_log: Path) -> None:
    assert told in refused("note", own_log, *words)


async def test_a_program_notes_what_it_knows_and_the_oldest_give_way(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    async with Engine(providers=[Told("alpha")], log=SqliteLog(path), watch=False) as engine:
        for number in range(KEPT + 2):
            engine.note("alpha", f"note {number}", actor="program")
        with pytest.raises(InvalidRequest, match="provider 'alfa' is unknown; known: alpha"):
            engine.note("alfa", "text", actor="program")
        with pytest.raises(InvalidRequest, match="text: String should have at least 1 character"):
            engine.note("alpha", "", actor="program")

    def notes() -> list[str]:
        with SqliteReader.open(path) as reader:
            return [one.text for one in restore(reader).standing.notes.of("alpha")]

    assert await asyncio.to_thread(notes) == [f"note {number}" for number in range(2, KEPT + 2)]
