"""Preferences: what operators set while an engine runs, put on record and into the policy in force."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_jsonable_python

from understudy.engine.errors import InvalidRequest
from understudy.engine.journal import Journal
from understudy.engine.quarantine import RULES
from understudy.events.log import SideWrite, StorePreferences
from understudy.events.operations import PolicyActivated, PreferencesChanged
from understudy.events.policy import Policy
from understudy.events.preferences import first_fault, preferences_of, with_preferences
from understudy.projections.standing import Standing


def shown(policy: Policy) -> StorePreferences:
    """What people are shown of a policy's preferences in SQL."""
    return StorePreferences(preferences=preferences_of(policy))


def change_preferences(
    journal: Journal, changes: Mapping[str, Any], *, actor: str, reason: str, side: Sequence[SideWrite] = ()
) -> None:
    """Put a change on record, and go on by the policy that it makes.

    Errors: InvalidRequest if it makes none; nothing has been written then.
    """
    now_us, policy = journal.now_us(), journal.ledger.standing.policy
    try:
        changed = with_preferences(policy, changes)
    except ValidationError as error:
        raise InvalidRequest(first_fault(error, changes)) from error
    except ValueError as error:
        raise InvalidRequest(str(error)) from error
    told = to_jsonable_python({name: getattr(changed, name) for name in changes})
    event = PreferencesChanged(changes=told, actor=actor, reason=reason)
    journal.note(event, at_us=now_us, side=[*side, shown(changed)])
    if changed.content_hash != policy.content_hash:
        journal.note(PolicyActivated(policy=changed, policy_hash=changed.content_hash), at_us=now_us)


def preferred(policy: Policy, standing: Standing) -> Policy:
    """The policy of a start: as it is configured, but for what operators have set since.

    A preferred provider that is configured no more is no preference any more.
    """
    return with_preferences(policy, _still_possible(policy, standing))


def take_over(journal: Journal, policy: Policy) -> None:
    """Go on by a policy, which is put on record if it is another one than before."""
    standing = journal.ledger.standing
    if "preferred_provider" in standing.preferences.keys() - _still_possible(policy, standing).keys():
        journal.note(
            PreferencesChanged(
                changes={"preferred_provider": None}, actor=RULES, reason="that provider is not configured any more"
            )
        )
    if standing.policy_hash != policy.content_hash:
        journal.note(PolicyActivated(policy=policy, policy_hash=policy.content_hash), side=[shown(policy)])


def _still_possible(policy: Policy, standing: Standing) -> dict[str, Any]:
    preferences = dict(standing.preferences)
    if preferences.get("preferred_provider") is not None and preferences["preferred_provider"] not in policy.by_id:
        del preferences["preferred_provider"]
    return preferences
