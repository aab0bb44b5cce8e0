"""`understudy override` where no engine runs: the event is written, nothing else changes, and nonsense is refused."""

import asyncio
import getpass
import json
import os
import sqlite3
import stat
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cli.command_line import answered, program, refused, run, said
from providers_for_tests import Told

from understudy.adapters import put_command
from understudy.adapters.stores import SqliteLog, SqliteReader
from understudy.engine import Engine, Misconfigured, NoProviderAvailable, Policy, Strategy
from understudy.engine.decide import RULES_VERSION
from understudy.events.codec import decode
from understudy.events.log import Head
from understudy.events.row import Row
from understudy.replay.verify import verify

WHY = ("--reason", "maintenance at beta", "--actor", "ann")


def head(path: Path) -> Head:
    with SqliteReader.open(path) as reader:
        return reader.head()


def rows(path: Path, *, after: int = 0) -> list[Row]:
    with SqliteReader.open(path) as reader:
        return list(reader.rows(after=after))


def kinds(path: Path, *, after: int = 0) -> list[str]:
    return [row.kind.partition(".")[0] for row in rows(path, after=after)]


def assert_sound(path: Path) -> None:
    with SqliteReader.open(path) as reader:
        verification = verify(reader)
        assert verification.ok, verification
        assert reader.commands_waiting() == 0


def standing_of(path: Path, provider: str) -> dict[str, Any]:
    found = answered("status", path)
    return next(one for one in found["providers"] if one["provider"] == provider)


def test_without_an_engine_the_command_writes_the_event_itself_and_nothing_else(own_log: Path) -> None:
    before = head(own_log).seq
    found = answered("override", own_log, "beta", "drain", "--for", "10m", *WHY)
    assert kinds(own_log, after=before) == ["override_set", "mode_changed"], "nobody else can serve: that follows"
    row, _ = rows(own_log, after=before)
    assert found["event"]["event"] == {
        "provider": "beta",
        "state": "drain",
        "until_us": row.at_us + 600_000_000,
        "actor": "ann",
        "reason": "maintenance at beta",
    }
    assert (found["done"], found["waits"], found["taken_by"]) == (True, None, None)
    assert found["provider"]["circuit"] == "drained"
    assert_sound(own_log)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("open",), "beta is forced open until it is cleared: it is not called"),
        (("closed", "--for", "90s"), "beta is forced closed until 20… (for 1m 30s): it is called whatever its circuit"),
        (("drain", "--for", "2h"), "beta is drained until 20… (for 2h 00m): it gets nothing new"),
        (
            ("clear",),
            "beta was not forced, and our key and account there were not held to be wrong: nothing has changed",
        ),
    ],
    ids=str,
)
def test_it_says_in_a_sentence_what_is_so_now_and_who_wrote_it(
    words: tuple[str, ...], sentence: str, own_log: Path
) -> None:
    text = said("override", own_log, "beta", *words, *WHY)
    begins, _, goes_on = sentence.partition("…")
    assert text.startswith(f"{own_log}: {begins}")
    assert goes_on in text.splitlines()[0]
    assert "  by     ann: maintenance at beta\n" in text
    assert "  event  93, written by this command, as no engine is running\n" in text


def test_what_is_cleared_is_healthy_again_and_each_command_is_an_event(own_log: Path) -> None:
    said("override", own_log, "beta", "open", *WHY)
    assert standing_of(own_log, "beta")["verdict"] == "forced_open"
    text = said("override", own_log, "beta", "clear", *WHY)
    assert ": beta is no longer forced: its own record decides\n" in text
    assert "now    healthy" in text
    assert kinds(own_log, after=92) == ["override_set", "mode_changed", "override_cleared", "mode_changed"]
    assert_sound(own_log)


def test_the_actor_is_the_login_name_unless_somebody_else_is_named(
    own_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = ("--reason", "x")
    found = answered("override", own_log, "beta", "clear", *reason)
    assert found["event"]["event"]["actor"] == getpass.getuser()

    def nobody() -> str:
        raise OSError("no user of that number")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert "say who you are with --actor" in refused("override", own_log, "beta", "clear", *reason)


async def test_the_next_engine_goes_by_it(tmp_path: Path) -> None:
    path, policy = tmp_path / "calls.db", Policy(strategy=Strategy.IN_ORDER)
    async with Engine(providers=[Told("alpha"), Told("beta")], log=SqliteLog(path), policy=policy) as engine:
        assert (await engine.call("x")).provider == "alpha"
    await asyncio.to_thread(said, "override", path, "alpha", "open", *WHY)
    await asyncio.to_thread(said, "override", path, "beta", "open", *WHY)
    async with Engine(providers=[Told("alpha"), Told("beta")], log=SqliteLog(path), policy=policy) as engine:
        with pytest.raises(NoProviderAvailable, match="forced_open"):
            await engine.call("x")
    assert_sound(path)


async def test_it_is_no_start_of_an_engine_so_that_a_wrong_key_stays_wrong(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    policy = Policy(strategy=Strategy.IN_ORDER)
    providers = [Told("alpha", [Misconfigured("wrong key")]), Told("beta")]
    async with Engine(providers=providers, log=SqliteLog(path), policy=policy) as engine:
        assert (await engine.call("x")).provider == "beta"
    before = head(path).seq
    await asyncio.to_thread(said, "override", path, "beta", "clear", *WHY)
    assert kinds(path, after=before) == ["override_cleared"]
    found = await asyncio.to_thread(answered, "status", path)
    assert found["providers"][0]["verdict"] == "misconfigured"
    text = await asyncio.to_thread(said, "override", path, "alpha", "clear", *WHY)
    assert ": alpha was not forced; that our key or account there is wrong counts no more\n" in text
    assert (await asyncio.to_thread(standing_of, path, "alpha"))["verdict"] == "eligible"
    assert_sound(path)


def test_what_a_crash_left_open_is_left_to_the_next_engine(eventful_log: Path, tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    path.write_bytes(eventful_log.read_bytes())
    before = answered("doctor", path)["checks"]
    said("override", path, "alpha", "drain", *WHY)
    assert kinds(path, after=46) == ["override_set"]
    after = answered("doctor", path)["checks"]
    for check in ("engine", "requests"):
        assert [one for one in after if one["check"] == check] == [one for one in before if one["check"] == check]
    assert_sound(path)


def test_an_engine_that_had_stopped_in_good_order_has_still_done_so(own_log: Path) -> None:
    said("override", own_log, "beta", "closed", *WHY)
    engine = next(one for one in answered("doctor", own_log)["checks"] if one["check"] == "engine")
    assert engine["verdict"] == "fine"
    assert "stopped in good order at 2026-01-01T00:00:08.000Z" in engine["says"]
    found = answered("status", own_log)
    assert (found["engine_stopped"], found["seq"]) == (True, 93)


def test_what_was_waiting_is_obeyed_before_it_in_order(own_log: Path) -> None:
    wish = {"command": "set_override", "provider": "beta", "state": "open", "actor": "bob", "reason": "earlier"}
    put_command(own_log, json.dumps(wish))
    said("override", own_log, "beta", "clear", *WHY)
    told = [decode(row) for row in rows(own_log, after=92) if row.kind.startswith("override")]
    assert [event.actor for event in told] == ["bob", "ann"]  # type: ignore[attr-defined]
    assert standing_of(own_log, "beta")["verdict"] == "eligible"
    assert_sound(own_log)


def test_nonsense_that_was_waiting_is_an_alert_only_until_it_makes_sense_again(own_log: Path) -> None:
    put_command(own_log, "nonsense")
    said("override", own_log, "beta", "clear", *WHY)
    assert kinds(own_log, after=92) == ["alert_raised", "override_cleared", "alert_cleared"]
    assert answered("status", own_log)["alerts"] == []
    assert_sound(own_log)


def test_after_a_crash_between_an_event_and_its_alert_the_log_still_verifies(
    eventful_log: Path, tmp_path: Path
) -> None:
    path = tmp_path / "calls.db"

    async def copy_up_to_the_suspension() -> None:
        log = SqliteLog(path)
        await log.open("engine")
        for row in rows(eventful_log):
            log.append(decode(row), at_us=row.at_us)
            if row.kind == "request_suspended.v1":
                break
        await log.close()

    asyncio.run(copy_up_to_the_suspension())
    put_command(path, "nonsense")
    said("override", path, "alpha", "drain", *WHY)
    held, nonsense = [decode(row) for row in rows(path) if row.kind == "alert_raised.v1"][-2:]
    assert (held.alert, nonsense.alert) == ("suspended", "command_refused")  # type: ignore[attr-defined]
    assert kinds(path)[-5:] == ["request_suspended", "alert_raised", "alert_raised", "override_set", "alert_cleared"]
    assert_sound(path)


def test_a_log_that_other_rules_have_written_waits_for_the_next_engine(tmp_path: Path, eventful_log: Path) -> None:
    path = tmp_path / "other.db"

    async def copy_as_of_other_rules() -> None:
        log = SqliteLog(path)
        await log.open("engine")
        for row in rows(eventful_log):
            event = decode(row)
            if row.kind == "engine_started.v1":
                event.rules_version = 99  # type: ignore[attr-defined]
            log.append(event, at_us=row.at_us)
        await log.close()

    asyncio.run(copy_as_of_other_rules())
    before = head(path)
    result = run("override", path, "beta", "open", *WHY)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == (
        f"Error: command 1 waits in the inbox of {path}: the last engine decided by rules 99, and this version decides"
        f" by rules {RULES_VERSION}; it is obeyed at the next start of an engine\n"
    )
    assert head(path) == before
    with SqliteReader.open(path) as reader:
        assert reader.commands_waiting() == 1
        assert verify(reader).ok, "nothing that other rules have chosen is compared, what follows at once included"


async def test_a_stream_of_another_name_keeps_its_name(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    async with Engine(providers=[Told("alpha")], log=SqliteLog(path, stream="shop")):
        pass
    await asyncio.to_thread(said, "override", path, "alpha", "drain", *WHY)
    assert kinds(path)[-2:] == ["override_set", "mode_changed"]
    with SqliteReader.open(path) as reader:
        assert (reader.stream, reader.head().seq) == ("shop", 5)


# --- refused


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("alhpa", "open"), "the policy in force has no provider 'alhpa'; did you mean 'alpha'?"),
        (("zulu", "open"), "the policy in force has no provider 'zulu'; it has alpha, beta"),
        (("alpha", "ajar"), "'ajar' is not one of 'open', 'closed', 'drain', 'clear'"),
        (("alpha", "open", "--for", "soon"), "'soon' is not a length of time; write it like 90s, 10m, 2h or 7d"),
        (("alpha", "open", "--for", "0s"), "'0s' is too short; it is 1s at least"),
        (("alpha", "open", "--for", "-5m"), "'-5m' is not a length of time"),
        (("alpha", "open", "--for", "9999d"), "'9999d' is too long; it is 1,157d at most"),
        (("alpha", "clear", "--for", "5m"), "--for says how long a state is forced, and `clear` forces none"),
        (("alpha", "open", "--reason", "  "), "it is empty; say something that others will understand later"),
        (("alpha", "open", "--reason", "x" * 501), "it has 501 characters; 500 is the most"),
        (("alpha", "open", "--actor", "x" * 201), "it has 201 characters; 200 is the most"),
        (("alpha", "open", "--reason", "\udcff"), "it is not text in the encoding of this terminal"),
    ],
    ids=lambda one: " ".join(one)[:40] if isinstance(one, tuple) else "",
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    words: tuple[str, ...], sentence: str, own_log: Path
) -> None:
    before = head(own_log)
    assert sentence in refused("override", own_log, *words[:2], "--reason", "x", *words[2:])
    assert head(own_log) == before
    assert_sound(own_log)


def test_a_reason_must_be_given(own_log: Path) -> None:
    assert "Missing option '--reason'" in refused("override", own_log, "beta", "open")


async def test_a_provider_that_has_left_the_policy_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    for names in (("alpha", "beta"), ("beta", "gamma")):
        async with Engine(providers=[Told(name) for name in names], log=SqliteLog(path)):
            pass
    sentence = await asyncio.to_thread(refused, "override", path, "alpha", "open", *WHY)
    assert sentence == "the policy in force has no provider 'alpha'; it has beta, gamma"


async def test_a_log_on_which_no_engine_has_started_knows_no_provider(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "calls.db")
    await log.open("nobody")
    await log.close()
    for words in (("override", "alpha", "open", *WHY), ("probe", "alpha"), ("resolve", "0646", "--not-executed", *WHY)):
        sentence = await asyncio.to_thread(refused, words[0], log.path, *words[1:])
        assert sentence == "no engine has started on this log yet: it knows no provider, and no request"


def test_a_damaged_end_is_refused_and_the_command_is_taken_back(own_log: Path) -> None:
    with closing(sqlite3.connect(own_log)) as connection, connection:
        connection.execute("UPDATE events SET payload = payload || ' ' WHERE seq = 92")
    assert "the end of the log is damaged: event 92 does not fit" in refused("override", own_log, "beta", "open", *WHY)
    with SqliteReader.open(own_log) as reader:
        assert reader.commands_waiting() == 0


def without_the_right_to_write_anywhere() -> None:
    """Even of root: in the program that is started next, the permissions of files hold."""
    import ctypes  # noqa: PLC0415 - Only in the child.

    if os.geteuid() == 0:
        drop_from_bounding_set, override_permissions = 24, 1
        ctypes.CDLL(None).prctl(drop_from_bounding_set, override_permissions, 0, 0, 0)


@pytest.mark.parametrize(
    "words", [("override", "DB", "beta", "open", *WHY), ("probe", "DB", "alpha")], ids=lambda words: words[0]
)
def test_a_file_that_may_not_be_written_is_refused_and_stays_as_it_was(words: tuple[str, ...], own_log: Path) -> None:
    own_log.chmod(stat.S_IRUSR)
    own_log.parent.chmod(stat.S_IRUSR | stat.S_IXUSR)
    before = own_log.read_bytes()
    try:
        done = subprocess.run(
            program(*(own_log if word == "DB" else word for word in words)),
            preexec_fn=without_the_right_to_write_anywhere,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        own_log.parent.chmod(stat.S_IRWXU)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith(f"Error: {own_log} cannot be opened: ")
    assert "may not be written; give this user write access" in done.stderr or "may be written" in done.stderr
    assert own_log.read_bytes() == before
