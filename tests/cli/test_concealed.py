"""What an operation declares sensitive is shown as a mark wherever people look, and never in clear."""

import asyncio
from pathlib import Path

import pytest
from cli.command_line import answered, said
from providers_for_tests import Told

from understudy.adapters import SqliteLog
from understudy.engine import Effect, Engine, Operation

CUSTOMER = "ann@example.org"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "calls.db"

    async def write() -> None:
        rent = Operation(name="rent", effect=Effect.ONCE, sensitive=frozenset({"customer"}))
        engine = Engine(providers=[Told("alpha", ["done"])], log=SqliteLog(path), operations=[rent], watch=False)
        async with engine:
            await engine.call("rent", context={"country": "us", "customer": CUSTOMER, "tier": "gold"})

    asyncio.run(write())
    return path


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (("explain", "DB", "last"), "country us, customer {mark}, tier gold"),
        (("events", "DB"), "country us, customer {mark}, tier gold"),
        (("requests", "DB"), "rent us {mark} gold"),
    ],
    ids=lambda one: one[0] if isinstance(one, tuple) else "",
)
def test_a_concealed_label_is_shown_as_a_mark(command: tuple[str, ...], shown: str, log: Path) -> None:
    text = " ".join(said(*(str(log) if word == "DB" else word for word in command)).split())
    assert shown.format(mark=marked(log)) in text
    assert "$sensitive" not in text
    assert CUSTOMER not in text


def test_its_json_has_the_whole_token_as_the_log_has_it(log: Path) -> None:
    (found,) = answered("requests", log)["requests"]
    assert found["context"].pop("customer").keys() == {"$sensitive"}
    assert found["context"] == {"country": "us", "tier": "gold"}


def marked(log: Path) -> str:
    (found,) = answered("requests", log)["requests"]
    return f"«hidden {found['context']['customer']['$sensitive'][:6]}»"
