"""What makes no sense is refused before anything happens, with what would be right."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from providers_for_tests import Told

from understudy.adapters import SqliteLog
from understudy.engine import Engine, EngineClosed, InvalidRequest, Policy, ProviderSettings
from understudy.events.errors import EventRefused, LogInUse


def test_what_is_no_provider_is_refused_before_anything_starts() -> None:
    class Sync:
        id = "sync"

        def call(self, operation: str, request: Any, *, key: str, deadline: Any):  # type: ignore[no-untyped-def]  # noqa: ANN202
            return 1

    class Short:
        id = "short"

        async def call(self, operation: str) -> None:
            pass

    for wrong, words in ((Sync(), "async def"), (Short(), "must take"), ("x", "no provider")):
        with pytest.raises(TypeError, match=words):
            Engine(providers=[wrong], log=SqliteLog("never-opened.db"))  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("providers", "error", "words"),
    [
        ([], ValueError, r"providers is empty, .* pass at least one: providers=\[…\]"),
        (Told("a"), TypeError, r"providers is Told.*, one provider alone; pass a list: providers=\[…\]"),
        (Told, TypeError, r"one provider alone; pass a list"),
        ("alpha", TypeError, r"providers is 'alpha', and must be a list of providers"),
        (None, TypeError, r"providers is None, and must be a list of providers"),
        ([Told], TypeError, r"Told'> is a class, .* pass an object of it: Told\(…\)"),
    ],
)
def test_what_is_no_list_of_providers_is_refused_with_what_would_be_right(
    providers: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        Engine(providers=providers, log=SqliteLog("never-opened.db"))


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("calls.db", r"name of a file, not a log; pass SqliteLog\('calls.db'\)"),
        (Path("calls.db"), r"name of a file, not a log; pass SqliteLog\('calls.db'\)"),
        (SqliteLog, "no log; pass SqliteLog"),
        (None, "log is None, and that is no log"),
    ],
)
def test_what_is_no_log_is_refused_with_what_would_be_right(log: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        Engine(providers=[Told("a")], log=log)


def test_wrong_arguments_are_refused_before_anything_happens(stage: Any) -> None:
    async def act() -> None:
        async with stage.engine(Told("a")) as engine:
            before = len(stage.kinds())
            for wrong, error, words in (
                ({"effect": "onse"}, InvalidRequest, "did you mean 'once'"),
                ({"context": {"country": 7}}, InvalidRequest, "must be text"),
                ({"amount": 1.5}, InvalidRequest, "float"),
                ({"amount": "many"}, InvalidRequest, "decimal number"),
                ({"amount": Decimal("NaN")}, InvalidRequest, "finite"),
                ({"preferred": "b"}, InvalidRequest, "unknown; known: a"),
                ({"deadline_ms": -1}, InvalidRequest, "from 1 to"),
                ({"deadline_ms": 0}, InvalidRequest, "from 1 to"),
                ({"context": "us"}, InvalidRequest, "mapping"),
                ({"idempotency_key": 17}, InvalidRequest, "must be text"),
                ({"idempotency_key": ""}, InvalidRequest, "printable"),
                ({"context": {"country": "u\ns"}}, InvalidRequest, r"context\['country'\] must be 1 to .* printable"),
                ({"body": {"price": float("nan")}}, EventRefused, "JSON"),
                ({"body": "x" * 70_000}, EventRefused, "too large"),
            ):
                with pytest.raises(error, match=words):
                    await engine.call("x", **wrong)
            assert len(stage.kinds()) == before

    stage.play(act)


def test_a_second_engine_on_the_same_file_is_refused_with_the_holders_name(stage: Any) -> None:
    async def act() -> None:
        async with stage.engine(Told("a"), log=stage.file()):
            second = Engine(providers=[Told("a")], log=SqliteLog(stage.logs[-1].path))
            with pytest.raises(LogInUse, match="simulation"):
                await second.start()

    stage.play(act)


def test_a_closed_engine_says_so(stage: Any) -> None:
    async def act() -> None:
        engine = stage.engine(Told("a"))
        with pytest.raises(EngineClosed):
            await engine.call("x")
        async with engine:
            await engine.call("x")
        await engine.stop()
        with pytest.raises(EngineClosed):
            await engine.call("x")

    stage.play(act)


def test_repeated_or_unknown_provider_ids_are_refused() -> None:
    with pytest.raises(ValueError, match="two providers have the id 'a'; ids must be unique"):
        Engine(providers=[Told("a"), Told("b"), Told("a")], log=SqliteLog("never-opened.db"))
    policy = Policy(providers=(ProviderSettings(id="b"),))
    with pytest.raises(ValueError, match="'b'"):
        Engine(providers=[Told("a")], log=SqliteLog("never-opened.db"), policy=policy)
