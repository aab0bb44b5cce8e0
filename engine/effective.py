"""The policy that is put on record: the caller's, with every provider's settings and abilities filled in."""

from collections.abc import Mapping

from understudy.engine.provider import Provider, settings_of
from understudy.events.policy import Policy


def effective(policy: Policy, providers: Mapping[str, Provider], *, pinged: bool) -> Policy:
    """The policy with the settings of all providers in it, as they are configured or as they say themselves.

    Errors: ValueError for settings of a provider that there is not.
    """
    configured = {settings.id: settings for settings in policy.providers}
    unknown = [name for name in configured if name not in providers]
    if unknown:
        raise ValueError(
            f"the policy configures {unknown[0]!r}, which is not among the providers: {', '.join(providers)}"
        )
    ordered = [*configured, *(name for name in providers if name not in configured)]
    return policy.with_providers(settings_of(providers[name], configured, pinged=pinged) for name in ordered)
