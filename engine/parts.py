"""Requests in two parts, where a provider has two: created first, which moves nothing, then committed."""

from typing import Final

from understudy.events.calls import CallStarted
from understudy.events.policy import ProviderSettings
from understudy.events.requests import RequestAccepted
from understudy.events.vocabulary import Effect

CREATE: Final = "create"
COMMIT: Final = "commit"


def part_of(accepted: RequestAccepted, settings: ProviderSettings, *, created: bool) -> tuple[str, str]:
    """What is asked of a provider, and the part that its key is for."""
    if not settings.two_part or accepted.effect is not Effect.ONCE or accepted.operation in {CREATE, COMMIT}:
        return accepted.operation, "call"
    part = COMMIT if created else CREATE
    return part, part


def moves(accepted: RequestAccepted, started: CallStarted) -> bool:
    """Whether a call may move something: the first of two parts does not."""
    return started.operation != CREATE or accepted.operation == CREATE
