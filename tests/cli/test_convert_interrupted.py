"""Ctrl-C while `understudy convert` has an order under way: what it says, how it ends; and nothing is done twice."""

import json
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli.command_line import PATIENCE_S, answered, ended_at_last, program
from exchange_for_tests import Exchange, Order, Said, exchange

TO_BTC = ("ETH", "BTC", "1.5", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4")
LISTENING = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
"""A background shell has its children ignore SIGINT, which Python inherits."""
MAY_HAVE = "It may have been converted: what had begun is on record in conversions.db, and the next start settles it.\n"


class Holding:
    """A manner of services: an order is in their books at once, and is not answered before they are let."""

    def __init__(self) -> None:
        self.taken, self.let = threading.Event(), threading.Event()

    def __call__(self, execute: Callable[[], Order]) -> Said:
        done = execute()
        self.taken.set()
        self.let.wait(PATIENCE_S)
        return 200, done


@pytest.fixture
def manner() -> Holding:
    return Holding()


@pytest.fixture
def services(manner: Holding, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Exchange]:
    with exchange(manner, alpha="0.0654", beta="0.0652", gamma="0.0651") as found:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "services.toml").write_text(found.descriptions)
        entries = [{"id": name, "api": "services.toml"} for name in found.services]
        settings = {"multiService": {"services": entries, "requestTimeout": 2_000 * PATIENCE_S}}
        (tmp_path / "config" / "default.json").write_text(json.dumps(settings))
        yield found
        manner.let.set()


@contextmanager
def with_an_order_under_way(manner: Holding, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """The command in a process of its own, until it has been told by Ctrl-C to stop, and has said so."""
    python, _, code, *words = program("convert", *TO_BTC, *options)
    process = subprocess.Popen(
        [python, "-c", LISTENING + code, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with ended_at_last(process):
        assert manner.taken.wait(PATIENCE_S), "nobody has ordered anything"
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        for line in process.stderr:
            if "Ctrl-C once more" in line:
                assert line == "What has begun may end yet, for up to 60 s; Ctrl-C once more stops at once.\n"
                break
        yield process


def test_what_has_begun_ends_after_ctrl_c_and_the_same_command_under_its_key_tells_how(
    services: Exchange, manner: Holding
) -> None:
    with with_an_order_under_way(manner, "--idempotency-key", "payout-17") as process:
        manner.let.set()
        stdout, stderr = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, stdout) == (130, "")
    assert MAY_HAVE in stderr
    assert "Type the same command again: under the same --idempotency-key nothing is converted twice.\n" in stderr
    assert "Traceback" not in stderr
    done = answered("convert", *TO_BTC, "--idempotency-key", "payout-17")
    assert (done["converted"], done["joined"], done["via"]) == (True, True, "call")
    assert [len(one.orders) for one in services.services.values()] == [1, 0, 0]


def test_a_second_ctrl_c_stops_at_once_and_the_next_start_settles_it(services: Exchange, manner: Holding) -> None:
    with with_an_order_under_way(manner, "--idempotency-key", "payout-17") as process:
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=PATIENCE_S)
    assert not manner.let.is_set(), "nobody was waited for"
    assert (process.returncode, stdout, MAY_HAVE in stderr) == (130, "", True)
    manner.let.set()
    done = answered("convert", *TO_BTC, "--idempotency-key", "payout-17")
    assert (done["converted"], done["joined"], done["via"]) == (True, True, "lookup")
    assert [len(one.orders) for one in services.services.values()] == [1, 0, 0]
    assert answered("verify", "conversions.db")["ok"]


def test_without_a_key_nobody_is_told_to_type_it_again(services: Exchange, manner: Holding) -> None:
    with with_an_order_under_way(manner) as process:
        manner.let.set()
        _, stderr = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, MAY_HAVE in stderr) == (130, True)
    assert "Look first: understudy explain conversions.db last. Without an --idempotency-key the same" in stderr
    assert "again" not in stderr
    assert answered("explain", "conversions.db", "last")["events"][-1]["kind"] == "request_completed.v1"
