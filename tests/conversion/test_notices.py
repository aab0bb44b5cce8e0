"""What handlers are given: one event for each signal, under our names and under the documents'."""

import inspect
from typing import Any

import pytest

from understudy.adapters.conversion.notices import NOTICES, Notice, receiver
from understudy.events.signals import SIGNALS

ABOUT = {"event": object(), "seq": 7, "at_us": 1_000}


def told(signal: str, **says: Any) -> Any:
    heard: list[Notice] = []
    receiver(signal, heard.append)(None, **ABOUT, **says)
    return heard[0]


def test_every_signal_has_its_notice() -> None:
    assert NOTICES.keys() == SIGNALS.keys()


def test_a_notice_is_read_as_attributes_and_under_the_keys_of_the_document() -> None:
    failure = told("service:failure", service_id="kraken", failures=2)
    assert (failure.service_id, failure.failures) == (failure["serviceId"], failure["failures"]) == ("kraken", 2)
    failover = told("failover:success", from_service="a", to_service="b", failovers=1)
    assert (failover.from_service, failover.to_service) == (failover["from"], failover["to"]) == ("a", "b")
    assert failover["fromService"] == failover["from_service"] == "a"
    recovered = told("service:recovered", service_id="a")
    assert (recovered["serviceId"], recovered["signal"], recovered["seq"], recovered["atUs"]) == (
        "a", "service:recovered", 7, 1_000,
    )  # fmt: skip


def test_a_key_that_a_notice_does_not_have_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(KeyError, match="service:failure says nothing of 'failurs'; did you mean 'failures'"):
        told("service:failure", service_id="a", failures=2)["failurs"]


def test_what_a_later_version_says_besides_harms_no_handler() -> None:
    assert told("service:recovered", service_id="a", after_us=5).service_id == "a"


async def test_async_handlers_are_awaited_and_plain_ones_are_called() -> None:
    heard: list[str] = []

    async def slow(notice: Any) -> None:
        heard.append(notice.service_id)

    class Callable:
        async def __call__(self, notice: Any) -> None:
            heard.append(notice["serviceId"])

    for handler in (slow, Callable()):
        made = receiver("service:recovered", handler)
        assert inspect.iscoroutinefunction(made)
        await made(None, **ABOUT, service_id="a")
    assert not inspect.iscoroutinefunction(receiver("service:recovered", heard.append))
    assert heard == ["a", "a"]
