"""A conversion that was given up is watched, and a person is told when it has succeeded after all."""

import asyncio
from typing import Any

import pytest
from conversions_for_tests import convert, events, played
from quoters import Findable, Quoter

from understudy.adapters import MemoryLog
from understudy.engine import AllProvidersFailed, Ambiguous, Engine, Finding, Found, InvalidRequest, Transient
from understudy.events.calls import CallStarted
from understudy.events.operations import AlertRaised


def test_a_late_success_after_a_failover_is_an_alert_with_both_references(stage: Any) -> None:
    alpha, beta = Findable("alpha", "0.0501", acts=[Ambiguous("reset")]), Quoter("beta", "0.0500")

    async def act(engine: Engine) -> str:
        answer = await convert(engine)
        alpha.findings = [Found(finding=Finding.SUCCEEDED, reference="tx-late")]
        await asyncio.sleep(120)
        return answer.request_id

    request_id = played(stage, alpha, beta, act=act)
    (alert,) = events(stage.logs[0], AlertRaised)
    assert (alert.alert, alert.subject) == ("late_success", request_id)
    assert "tx-late" in alert.message
    assert "tx-beta" in alert.message


def test_late_successes_at_two_services_are_two_alerts_and_an_operators_word_ends_both(stage: Any) -> None:
    alpha = Findable("alpha", "0.0502", acts=[Ambiguous("reset")])
    beta = Findable("beta", "0.0501", acts=[Ambiguous("reset")])

    async def act(engine: Engine) -> None:
        assert (await convert(engine)).provider == "gamma"
        beta.findings = [Found(finding=Finding.SUCCEEDED, reference="tx-b")]
        alpha.findings = [Found(finding=Finding.ABSENT), Found(finding=Finding.SUCCEEDED, reference="tx-a")]
        await asyncio.sleep(10_000)
        assert engine.standing.leftovers.watched == {}
        request_id = next(name.partition("|")[2] for name in engine.standing.alerts)
        engine.resolve(request_id, executed=True, reference="tx-g", actor="ann", reason="both sent back")
        assert engine.standing.alerts == {}
        with pytest.raises(InvalidRequest, match="is not held"):
            engine.resolve(request_id, executed=True, reference="tx-g", actor="ann", reason="again")

    played(stage, alpha, beta, Quoter("gamma", "0.0500"), act=act)
    first, second = events(stage.logs[0], AlertRaised)
    assert ("tx-b" in first.message, "tx-a" in second.message) == (True, True)
    assert (first.alert, second.alert) == ("late_success", "late_success")


def test_a_late_success_of_a_request_that_was_given_up_is_an_alert_too(stage: Any) -> None:
    alpha = Findable("alpha", acts=[Ambiguous("reset")])

    async def act(engine: Engine) -> None:
        with pytest.raises(AllProvidersFailed):
            await convert(engine)
        alpha.findings = [Found(finding=Finding.ABSENT), Found(finding=Finding.SUCCEEDED, reference="tx-late")]
        await asyncio.sleep(601)

    played(stage, alpha, act=act)
    (alert,) = events(stage.logs[0], AlertRaised)
    assert "reference tx-late), and its caller was told that it had failed" in alert.message


@pytest.mark.parametrize("found", [[Finding.ABSENT] * 3, [Finding.FAILED]])
def test_an_absence_is_believed_for_good_in_the_end(stage: Any, found: list[Finding]) -> None:
    alpha = Findable("alpha", "0.0501", acts=[Ambiguous("reset")])

    async def act(engine: Engine) -> None:
        await convert(engine)
        asked = len(lookups(stage))
        alpha.findings = [Found(finding=one) for one in found]
        await asyncio.sleep(10_000)
        assert len(lookups(stage)) == asked + len(found)
        assert engine.standing.leftovers.watched == {}
        assert engine.standing.alerts == {}

    played(stage, alpha, Quoter("beta", "0.0500"), act=act)


def lookups(stage: Any) -> list[CallStarted]:
    return [one for one in events(stage.logs[0], CallStarted) if one.operation == "lookup"]


def test_what_is_watched_is_looked_up_after_a_restart_too(stage: Any) -> None:
    alpha, beta = Findable("alpha", "0.0501", acts=[Ambiguous("reset")]), Quoter("beta", "0.0500")
    log = MemoryLog()
    played(stage, alpha, beta, log=log)
    alpha.findings = [Transient("busy"), Found(finding=Finding.SUCCEEDED, reference="tx-late")]

    async def wait(_: Engine) -> None:
        await asyncio.sleep(4_000)

    played(stage, alpha, beta, log=log, act=wait)
    assert [one.alert for one in events(log, AlertRaised)] == ["late_success"]


def test_who_is_no_longer_there_is_not_looked_up(stage: Any) -> None:
    alpha, beta = Findable("alpha", "0.0501", acts=[Ambiguous("reset")]), Quoter("beta", "0.0500")
    log = MemoryLog()
    played(stage, alpha, beta, log=log)

    async def wait(engine: Engine) -> None:
        await asyncio.sleep(4_000)
        assert engine.standing.leftovers.watched.keys() != set()

    played(stage, beta, log=log, act=wait)
    assert len(lookups(stage)) == 1
