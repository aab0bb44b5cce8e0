"""Sensitive values in a store: each for each subject, overwritten where it stands, and nowhere else."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from stores.samples import NOON, accepted, alert, until

from understudy.adapters.stores import SqliteLog, SqliteReader
from understudy.events.log import ForgetSensitive, StoreSensitive

SIZES = (8, 20, 56, 57, 58, 150, 900, 9_000)
"""Lengths of values: around where SQLite's own numbers grow by a byte, and longer than a page."""


def raw(path: Path) -> bytes:
    return b"".join(one.read_bytes() for one in path.parent.iterdir())


@pytest.mark.parametrize("seed", range(2))
async def test_of_many_values_of_all_sizes_none_is_left_that_was_forgotten_and_all_others_are(
    seed: int, tmp_path: Path
) -> None:
    dice, log = random.Random(seed), SqliteLog(tmp_path / "calls.db")
    await log.open("tester")
    values: dict[tuple[str, str], str] = {}
    gone: set[tuple[str, str]] = set()
    for number in range(400):
        which = f"{dice.getrandbits(128):032x}", f"s{number % 7}"
        values[which] = f"<{number:05}-{'x' * dice.choice(SIZES)}>"
        write = StoreSensitive(token=which[0], subject=which[1], value=values[which])
        log.append(alert(number), at_us=NOON + number, side=[write])
        if number % 40 == 39:
            some = dice.sample(sorted(values.keys() - gone), 20)
            log.append(alert(number), at_us=NOON + number, side=[ForgetSensitive(values=some)])
            await log.durable(log.head.seq)
            gone.update(some)
    await log.durable(log.head.seq)
    with SqliteReader.open(log.path) as reader:
        await until(reader.is_clean)
    content = raw(log.path)
    assert {which for which, value in values.items() if value[:7].encode() in content} == values.keys() - gone
    with SqliteReader.open(log.path) as reader:
        assert set(reader.kept({token for token, _ in values})) == {token for token, _ in values.keys() - gone}
    await log.close()


async def test_a_value_of_two_subjects_stays_with_the_other_one(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "calls.db")
    await log.open("tester")
    for subject in ("ann", "bob", "bob"):
        log.append(alert(), at_us=NOON, side=[StoreSensitive(token="t", subject=subject, value='"+1555"')])
    log.append(alert(), at_us=NOON, side=[ForgetSensitive(values=[("t", "ann"), ("t", "nobody")])])
    assert await log.reveal(["t"]) == {"t": '"+1555"'}
    await log.close()
    with SqliteReader.open(log.path) as reader:
        assert reader.kept_of(["t", "ann"], only=None, most=9) == [("t", "bob")]
        assert reader.kept_of(["t"], only="ann", most=9) == []


async def test_a_file_of_the_schema_before_keeps_its_values_and_can_forget_them(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    log = SqliteLog(path)
    await log.open("tester")
    await log.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE sensitive")
        connection.execute(
            "CREATE TABLE sensitive (token TEXT PRIMARY KEY, subject TEXT NOT NULL, value TEXT NOT NULL) WITHOUT ROWID"
        )
        connection.execute("CREATE INDEX sensitive_subject ON sensitive (subject)")
        lines = [(f"{number * 7919 % 997:05}", "ann", f"<{number:05}-{'x' * 60}>") for number in range(500)]
        connection.executemany("INSERT INTO sensitive VALUES (?, ?, ?)", lines)
        connection.execute("PRAGMA user_version = 2")
    log = SqliteLog(path)
    await log.open("tester")
    assert await log.reveal(["00000"]) == {"00000": lines[0][2]}
    gone = [(token, subject) for token, subject, _ in lines if token != "00000"]
    log.append(accepted(), at_us=NOON, side=[ForgetSensitive(values=gone)])
    await log.close()
    content = raw(path)
    assert [value for *_, value in lines if value[:7].encode() in content] == [lines[0][2]]
