"""A conversion in two parts: what is created moves nothing, and what is committed moves once."""

from decimal import Decimal
from typing import Any

import pytest
from conversions_for_tests import events, played
from quoters import Findable, Quoter

from understudy.engine import Ambiguous, OutcomeUnknown, TimedOut
from understudy.events.calls import CallStarted


def test_in_two_parts_what_is_created_is_then_committed_and_only_that_moves(stage: Any) -> None:
    alpha = Quoter("alpha")
    alpha.two_part = True  # type: ignore[attr-defined]
    answer = played(stage, alpha)
    assert [operation for operation, _ in alpha.calls] == ["create", "commit"]
    assert alpha.calls[1][1].created.value == {"reservation": "r-alpha"}  # type: ignore[union-attr]
    assert (answer.reference, answer.attempts, answer.failovers) == ("tx-alpha", 2, 0)
    create, commit = [call for call in events(stage.logs[0], CallStarted) if call.operation != "quote"]
    assert (create.amount_due, commit.amount_due) == (None, Decimal("0.10"))
    assert create.key != commit.key


def test_a_create_that_hangs_is_nobodys_doubt_and_the_next_service_is_asked(stage: Any) -> None:
    alpha, beta = Quoter("alpha", "0.0501", acts=[TimedOut("hangs")]), Quoter("beta", "0.0500")
    alpha.two_part = True  # type: ignore[attr-defined]
    answer = played(stage, alpha, beta)
    assert (answer.provider, answer.failovers) == ("beta", 1)


def test_a_commit_in_doubt_is_looked_up_before_anybody_else_is_asked(stage: Any) -> None:
    alpha, beta = Findable("alpha", "0.0501"), Quoter("beta", "0.0500")
    alpha.two_part = True  # type: ignore[attr-defined]
    alpha.acts = [lambda: None, Ambiguous("reset")]
    answer = played(stage, alpha, beta)
    assert (answer.provider, answer.failovers) == ("beta", 1)
    assert [call.operation for call in events(stage.logs[0], CallStarted)] == [
        "quote",
        "quote",
        "create",
        "commit",
        "lookup",
        "convert",
    ]


def test_a_commit_that_nobody_can_decide_is_held(stage: Any) -> None:
    alpha, beta = Quoter("alpha", "0.0501"), Quoter("beta", "0.0500")
    alpha.two_part = True  # type: ignore[attr-defined]
    alpha.acts = [lambda: None, Ambiguous("reset")]
    with pytest.raises(OutcomeUnknown):
        played(stage, alpha, beta)
    assert beta.calls == []
