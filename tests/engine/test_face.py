"""What `understudy.engine` offers: all that its callers need, every error that they can meet among it."""

import inspect

from understudy import engine
from understudy.engine import errors as of_calls
from understudy.events import errors as of_the_log


def test_every_error_that_a_caller_can_meet_is_offered() -> None:
    raised = {
        name
        for module in (of_calls, of_the_log)
        for name, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, of_the_log.UnderstudyError)
    }
    assert {"LogUnavailable", "EventRefused", "OutcomeUnknown"} <= raised
    assert raised <= set(engine.__all__)


def test_what_is_offered_is_there() -> None:
    assert [name for name in engine.__all__ if not hasattr(engine, name)] == []
