"""`understudy explain`: a request is found by as much of its name as is needed, and its story told."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from cli.command_line import RESTING, SHORT, answered, on_a_terminal, plans, refused, run, said
from cli.eventful import KEY
from event_samples import EXAMPLES

from understudy.adapters.stores import SqliteReader
from understudy.events.decisions import DecisionMade
from understudy.replay.decision_table import table


def ids(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT request_id FROM events WHERE kind = 'request_accepted.v1' ORDER BY seq"
        return [name for (name,) in connection.execute(query)]


def test_the_story_of_a_request_is_told(short_log: Path) -> None:
    request = ids(short_log)[0]
    text = said("explain", short_log, request)
    assert text.startswith(f"Request {request}\n")
    assert "served by alpha" in text


def test_an_average_of_no_timed_call_is_unknown_and_not_nothing() -> None:
    made = next(one for one in EXAMPLES[DecisionMade.kind] if isinstance(one, DecisionMade) and one.consensus is None)
    chosen = replace(made.candidates[0], success_bp=0, average_us=0)
    row = table(replace(made, candidates=(chosen,)), width=100)[1]
    assert "0.00 % unknown" in " ".join(row.split())
    timed = replace(chosen, average_us=1_500)
    assert "1.5 ms" in table(replace(made, candidates=(timed,)), width=100)[1]


def test_the_beginning_of_an_id_is_enough_where_no_other_begins_so(short_log: Path) -> None:
    first, second = ids(short_log)[:2]
    shared = next(place for place in range(len(first)) if first[place] != second[place])
    enough = next(
        first[:length]
        for length in range(shared, len(first))
        if sum(one.startswith(first[:length]) for one in ids(short_log)) == 1
    )
    assert said("explain", short_log, enough) == said("explain", short_log, first)


def test_a_beginning_that_several_share_is_refused_with_some_of_them(short_log: Path) -> None:
    sentence = refused("explain", short_log, ids(short_log)[0][:4])
    assert ids(short_log)[-1] in sentence
    assert sentence.endswith("and 11 more; write more of it")


def test_the_beginning_of_an_id_is_found_by_the_index_of_requests(short_log: Path) -> None:
    with SqliteReader.open(short_log) as reader:
        assert plans(reader, lambda: reader.requests_beginning("6474")) == [
            "SEARCH events USING INDEX events_request (request_id>? AND request_id<?)"
        ]
        assert list(reader.requests_beginning("6474")) == list(reversed(ids(short_log)))


def test_a_request_is_found_by_its_callers_key_where_no_id_begins_so(eventful_log: Path) -> None:
    (held,) = answered("requests", eventful_log, "--outcome", "held")["requests"]
    assert held["key"] == KEY
    assert answered("explain", eventful_log, KEY)["request_id"] == held["request_id"]
    assert answered("explain", eventful_log, "--key", KEY)["request_id"] == held["request_id"]
    shown = answered("events", eventful_log, "--request", KEY, "--limit", "0")["events"]
    assert {one["event"].get("request_id", held["request_id"]) for one in shown} == {held["request_id"]}
    assert len(shown) > 3


def test_a_key_is_no_prefix_and_an_id_is_no_key(eventful_log: Path) -> None:
    assert refused("explain", eventful_log, "--key", KEY[:-1]) == (
        f"no request has the key {KEY[:-1]!r}; keys are compared letter by letter"
    )
    assert "no request has the key" in refused("explain", eventful_log, "--key", ids(eventful_log)[0])


def test_a_key_of_several_requests_is_refused_with_their_ids(eventful_log: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(eventful_log, tmp_path / "twice.db"))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "UPDATE events SET payload = json_set(payload, '$.key', ?) WHERE kind = 'request_accepted.v1'", (KEY,)
        )
    sentence = refused("explain", path, KEY)
    assert ids(path)[-1] in sentence
    assert sentence.endswith("and 2 more; write more of it")
    assert refused("explain", path, "--key", KEY).endswith("and 2 more; name one of them by its id")


@pytest.mark.parametrize("words", [(), ("last", "--key", KEY)])
def test_a_request_is_named_once(words: tuple[str, ...], eventful_log: Path) -> None:
    assert "name either a REQUEST (`last` is the newest one) or its --key" in refused("explain", eventful_log, *words)


def test_last_is_the_newest_request(short_log: Path) -> None:
    assert answered("explain", short_log, "last")["request_id"] == ids(short_log)[-1]


def test_last_failover_is_the_newest_that_another_than_the_first_has_served(short_log: Path) -> None:
    found = answered("explain", short_log, "last-failover")
    kinds = [one["kind"] for one in found["events"]]
    assert kinds.count("decision_made.v1") == 2
    assert found["request_id"] in ids(short_log)[6:]
    assert "after 1 failover" in said("explain", short_log, "last-failover")


@pytest.mark.parametrize("word", ["nothing", "", "%", "0000"])
def test_a_request_that_is_not_there_is_refused(word: str, short_log: Path) -> None:
    said = refused("explain", short_log, word)
    assert said == f"no request has the id or the key {word!r}, nor an id that begins so; try `last`"


def test_a_misspelt_word_for_a_request_is_noticed(short_log: Path) -> None:
    assert refused("explain", short_log, "last-failver").endswith("did you mean `last-failover`?")


def test_a_log_without_requests_has_no_last_one(tmp_path: Path) -> None:
    path = tmp_path / "idle.toml"
    path.write_text(SHORT.replace("{ per_second = 2 }", "{ bursts = [{ at_s = 100, requests = 1 }] }"))
    run("simulate", "--scenario", path, "--log", tmp_path / "idle.db")
    assert refused("explain", tmp_path / "idle.db", "last") == "no request has been accepted yet in this log"
    assert refused("explain", tmp_path / "idle.db", "last-failover").startswith("no request has been served after")


def test_what_a_provider_said_cannot_move_the_terminals_cursor(own_log: Path) -> None:
    with closing(sqlite3.connect(own_log)) as connection, connection:
        connection.execute(
            "UPDATE events SET payload = replace(payload, 'refuses the connection', 'refuses\\u001b[2J')"
            " WHERE kind = 'call_failed.v1'"
        )
    text = said("explain", own_log, "last-failover")
    assert "\x1b" not in text
    assert "refuses\\x1b[2J" in text


def test_a_story_fits_a_hundred_columns_whatever_the_providers_are_called(tmp_path: Path) -> None:
    path = tmp_path / "long-names.toml"
    long = {"alpha": "alpha-" + "a" * 60, "beta": "beta-" + "b" * 60}
    path.write_text(SHORT.replace('"alpha"', f'"{long["alpha"]}"').replace('"beta"', f'"{long["beta"]}"'))
    run("simulate", "--scenario", path, "--log", tmp_path / "calls.db")
    lines = said("explain", tmp_path / "calls.db", "last-failover").splitlines()
    assert max(map(len, lines)) <= 100
    alone = [line.strip() for line in lines if line.strip() in long.values()]
    assert alone[-2:] == [long["beta"], long["alpha"]], "each above the rest of its row, in the order of the decision"


def test_a_story_fits_the_terminal_and_keeps_every_figure(short_log: Path) -> None:
    narrow = on_a_terminal("explain", short_log, "last-failover", COLUMNS="80", NO_COLOR="1").splitlines()
    wide = on_a_terminal("explain", short_log, "last-failover", COLUMNS="300", NO_COLOR="1").splitlines()
    assert max(map(len, narrow)) <= 80
    assert len(narrow) > len(wide)
    assert " ".join(" ".join(narrow).split()) == " ".join(" ".join(wide).split())


def test_the_terms_of_the_score_are_explained_once(short_log: Path) -> None:
    text = said("explain", short_log, "last-failover")
    assert text.count("score = success rate (100 if unknown) + points for speed, stock and recent success") == 1
    assert "90.0   75.00 %   80 ms    +10 +0 +5  100.00 %" in text


def test_it_is_said_why_a_provider_below_a_threshold_was_not_put_behind(tmp_path: Path) -> None:
    path = tmp_path / "resting.toml"
    path.write_text(RESTING)
    run("simulate", "--scenario", path, "--log", tmp_path / "calls.db")
    held_back, rested = (
        " ".join(said("explain", tmp_path / "calls.db", request).split())
        for request in ids(tmp_path / "calls.db")[36:38]
    )
    assert "alpha was degraded: its success rate was below 95 %" in held_back
    assert "alpha was not counted as degraded with a success rate below 95 %: it had rested since, or" in rested


@pytest.mark.parametrize("columns", [40, 60])
def test_where_there_is_no_room_for_a_table_its_rows_are_told_in_words(columns: int, short_log: Path) -> None:
    wide = said("explain", short_log, "last-failover")
    narrow = on_a_terminal("explain", short_log, "last-failover", COLUMNS=str(columns), NO_COLOR="1")
    assert max(map(len, narrow.splitlines())) <= columns
    words = " ".join(narrow.split())
    told = "1 alpha: eligible, tier 1, score 90.0, success 75.00 %, average 80 ms, points +10 +0 +5, chance 100.00 %"
    assert told in words
    lost = set(wide.split()) - set(words.split()) - {word.rstrip(":,") for word in words.split()}
    assert lost <= {"#", "provider", "verdict"}
