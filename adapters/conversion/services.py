"""The services of a converter as its caller has them: objects, alone or with settings beside them."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from understudy.engine.provider import Provider, check_provider
from understudy.events.policy import ProviderSettings

SERVICE: Final = "service"
"""The key of a table under which the object itself stands."""
_PAIR: Final = 2


def arranged(services: object) -> tuple[dict[str, Provider], list[dict[str, Any]]]:
    """The objects by their ids, and what is said of each, in their order.

    A service is an object with an `id`, `call` and `quote` (its `settings`, if it has any, are taken); a pair of one
    and its settings; or a table of settings with the object under `service`.
    Errors: TypeError for what is none of these; ValueError if there is none, or for an id that does not fit or is
            there twice.
    """
    if isinstance(services, str | Mapping) or not isinstance(services, Iterable):
        raise TypeError(f"services is {services!r}, and must be a list of services: services=[…]")
    found: dict[str, Provider] = {}
    entries = []
    for one in services:
        service, entry = _parted(one)
        expect_service(service)
        if entry.setdefault("id", service.id) != service.id:
            raise ValueError(f"the service {service.id!r} is given the id {entry['id']!r}; leave that out")
        if service.id in found:
            raise ValueError(f"two services have the id {service.id!r}; ids must be unique")
        found[service.id] = service
        entries.append(entry)
    if not found:
        raise ValueError("services is empty, and nobody could convert anything; give at least one: services=[…]")
    return found, entries


def expect_service(service: object) -> None:
    """Refuse what can convert nothing, before a conversion finds out. Errors: TypeError, saying what is missing."""
    check_provider(service)
    if not callable(getattr(service, "quote", None)):
        raise TypeError(
            f"the service {getattr(service, 'id', service)!r} has no `async def quote(request, *, deadline)`"
        )


def _parted(one: Any) -> tuple[Any, dict[str, Any]]:
    """A service and what is said of it."""
    if isinstance(one, Mapping):
        if SERVICE not in one:
            raise TypeError(
                f'{dict(one)!r} has no "service": the object that it is about, with an `id`, `call` and `quote`'
            )
        return one[SERVICE], {key: value for key, value in one.items() if key != SERVICE}
    if isinstance(one, tuple) and len(one) == _PAIR:
        service, said = one
        return service, _said(said)
    return one, _said(getattr(one, "settings", None))


def _said(settings: object) -> dict[str, Any]:
    match settings:
        case ProviderSettings():
            return {name: getattr(settings, name) for name in settings.model_fields_set}
        case Mapping():
            return dict(settings)
        case _:
            return {}
