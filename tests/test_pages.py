"""What the pages show is what happens: their Python runs, their commands print what stands below them.

docs/cli.md has a test of its own (`tests/cli/test_documentation.py`), and so has docs/http-adapters.md.
"""

import ast
import asyncio
import gzip
import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

import pytest
from cli.command_line import answered, run, said
from described_for_tests import SECRETS, Asked, Said, page_blocks, serving
from described_for_tests import json as said_as_json
from described_for_tests import text as said_as_text
from repository import ROOT

from understudy.engine import Ambiguous, OutcomeUnknown

if TYPE_CHECKING:
    from collections.abc import Awaitable

README = (ROOT / "README.md").read_text(encoding="utf-8")
EMBEDDING = (ROOT / "docs" / "embedding.md").read_text(encoding="utf-8")
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
SCENARIOS = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8")
HTTP = (ROOT / "docs" / "http-adapters.md").read_text(encoding="utf-8")
TRACE = "slot,at_s,provider,ok,latency_ms,failure\n1,0,alpha,1,100,\n1,0,beta,1,300,\n"


def blocks(page: str, language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    return [text for its, text in found if its == language]


async def perform(block: str, names: dict[str, Any]) -> None:
    """Run a block of a page, in which there may be `await`, with these names; what it defines is added to them."""
    code = compile(block, "<page>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert isinstance(code, CodeType)
    if code.co_flags & inspect.CO_COROUTINE:
        waiting: Awaitable[None] = eval(code, names)  # noqa: S307 - Our own page.
        await waiting
    else:
        exec(code, names)  # noqa: S102 - As above.


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of its own to run a page in: pages name their files without a path."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_program_of_the_readme_serves_and_its_log_says_what_the_readme_says(folder: Path) -> None:
    (program,) = blocks(README, "python")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("beta {'number': '+1 555 0100', 'for': 'wa', 'order': ")
    for command, expected in shown(README):
        assert is_like(expected, said(*command.split()[1:])), f"$ {command}"


def shown(page: str) -> list[tuple[str, str]]:
    """Each command of a page that shows an answer."""
    found = (one for block in blocks(page, "") for one in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:])
    return [(command, answer) for command, _, answer in (one.partition("\n") for one in found)]


def is_like(expected: str, answer: str) -> bool:
    """Whether an answer has the words that are expected, in their order, whatever the numbers; `…` is anything."""
    pattern = re.escape(_words(expected)).replace("…", ".*")
    return re.fullmatch(pattern, _words(answer), re.DOTALL) is not None


def _words(text: str) -> str:
    return " ".join(re.sub(r"\b[0-9a-f]{24}\b|\b[0-9a-f]{64}\b|\d[\d,.:]*", "#", text).split())


def test_an_answer_in_other_words_is_not_taken_for_one_in_other_numbers() -> None:
    assert is_like("  +  1,060 ms  calls beta\n …\n", "+ 7.1 ms  calls beta\nand more")
    assert not is_like("served by beta after 1 failover", "served by alpha after 1 failover")


def test_the_commands_of_the_readme_that_show_no_answer_run(folder: Path) -> None:
    (folder / "trace.csv.gz").write_bytes(gzip.compress(TRACE.encode()))
    commands = [line for block in blocks(README, "") for line in block.splitlines() if line.startswith("understudy ")]
    assert len(commands) == 4
    for command in commands:
        assert run(*command.split()[1:]).exit_code == 0, command


async def test_the_blocks_on_embedding_run_in_their_order(folder: Path) -> None:
    provider, operations, signals, operators, wish = blocks(EMBEDDING, "python")
    names: dict[str, Any] = {}
    for block in (provider, operations, signals):
        await perform(block, names)
    names["engine"] = names["Engine"](providers=[names["Shop"](), InDoubt()], log=names["SqliteLog"]("calls.db"))
    async with names["engine"] as engine:
        answer = await engine.call("rent_number", effect="once")
        assert (answer.provider, answer.reference) == ("shop", "order-99")
        engine.override("shop", "open", actor="ann", reason="so that the other one is asked")
        with pytest.raises(OutcomeUnknown):
            await engine.call("pay", effect="once", deadline_ms=50)
        await perform(operators, names)
        await asyncio.to_thread(exec, wish, {})
        async with asyncio.timeout(30):
            while engine.unsettled or not engine.standing.providers["shop"].override:  # noqa: ASYNC110 - By and by.
                await asyncio.sleep(0.01)
    events = answered("events", folder / "calls.db", "--kind", "override_set")["events"]
    assert [one["event"]["state"] for one in events] == ["open", "drain", "open"]


class InDoubt:
    """A provider whose call may have been executed, and that cannot be asked."""

    id = "in-doubt"

    async def call(self, operation: str, request: object, *, key: str, deadline: object) -> None:
        raise Ambiguous("reset after sending")


def test_the_errors_that_a_caller_may_be_told_are_all_in_the_table() -> None:
    from understudy import engine  # noqa: PLC0415 - Only here is it the whole module that is meant.

    table = EMBEDDING.partition("## What a caller may be told")[2].partition("\n## ")[0]
    for error in engine.RequestError.__subclasses__():
        assert f"`{error.__name__}`" in table
    for name in ("InvalidRequest", "EventRefused", "LogUnavailable", "KeyConflict", "EngineClosed"):
        assert f"`{name}`" in table


async def test_the_blocks_on_configuration_say_the_same_and_can_be_loaded(folder: Path) -> None:
    (toml, _), (json,), (program,) = (blocks(CONFIGURATION, one) for one in ("toml", "json", "python"))
    names: dict[str, Any] = {}
    loaded = []
    for ending, text in (("toml", toml), ("json", json)):
        (folder / f"policy.{ending}").write_text(text)
        await perform(program.replace("policy.toml", f"policy.{ending}"), names)
        loaded.append(names["loaded"].policy)
    assert loaded[0] == loaded[1]
    assert loaded[0].max_failures == 5


async def test_the_blocks_on_http_adapters_run(folder: Path) -> None:
    names: dict[str, Any] = {}
    adapter, better, trying = blocks(HTTP, "python")
    await perform("from understudy.adapters.demo import Act, Fault, Line, ProviderServer", names)
    await perform("from understudy.engine import NotOffered, Transient", names)
    for block in (adapter, better, trying):
        await perform(block, names)
    assert names["server"].books.executions == {}


def sold_out(asked: Asked) -> Said:
    return said_as_text("no free phones") if "/buy/" in asked.path else said_as_json("{}")


def with_numbers(asked: Asked) -> Said:
    is_order = asked.form["action"] == "getNumber"
    return said_as_text("ACCESS_NUMBER:635468024:79584123456" if is_order else "ACCESS_BALANCE:1.00")


async def test_the_described_shops_of_the_page_rent_a_number_where_there_is_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (program,) = page_blocks("python")
    names: dict[str, Any] = {}
    await perform(program, names)
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    async with serving(sold_out) as fivesim, serving(with_numbers) as sms_activate:
        shops = "\n".join(page_blocks("toml")[:2])
        shops = shops.replace("https://5sim.net/v1", fivesim.url)
        (folder / "shops.toml").write_text(shops.replace("https://sms.example.com/stubs", sms_activate.url))
        assert await names["rent"](folder / "shops.toml") == "sms-activate rents 79584123456"
    assert [one.path for one in fivesim.asked if "/buy/" in one.path] == ["/user/buy/activation/england/any/telegram"]
    assert [one.form["action"] for one in sms_activate.asked].count("getNumber") == 1
    assert answered("verify", "calls.db")["ok"]
    failures = answered("events", "calls.db", "--kind", "call_failed")["events"]
    assert [one["event"]["outcome"] for one in failures] == ["out_of_stock"]
    content = (folder / "calls.db").read_bytes()
    assert [name for name, secret in SECRETS.items() if secret.encode() in content] == []


@pytest.mark.long
def test_the_scenarios_of_the_page_can_be_played(folder: Path) -> None:
    played = []
    for number, scenario in enumerate(blocks(SCENARIOS, "toml")):
        path = folder / f"scenario-{number}.toml"
        path.write_text(scenario)
        played.append(answered("simulate", "--scenario", path))
    assert [one["success_rate"] > 0.9 for one in played] == [True, True]
    assert played[1]["conversions"]["executed_twice"] == 0


@pytest.mark.long
def test_the_cascading_outage_is_told_as_the_page_shows_it() -> None:
    for command, expected in shown(SCENARIOS):
        assert is_like(expected, said(*command.split()[1:])), f"$ {command}"
