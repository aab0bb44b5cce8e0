"""Renting a number from the best of several shops."""

from decimal import Decimal, InvalidOperation

from understudy.adapters.rental.operations import RENT, RENTALS
from understudy.adapters.rental.rental import Rental, told
from understudy.engine.engine import Engine
from understudy.engine.errors import InvalidRequest
from understudy.engine.operation import Answer
from understudy.engine.running import the_engine_for


async def rent_number_with_failover(
    country: str,
    service: str,
    *,
    engine: Engine | None = None,
    max_price: Decimal | int | str | None = None,
    deadline_ms: int | None = None,
    idempotency_key: str | None = None,
    preferred: str | None = None,
) -> Rental:
    """Rent a phone number in a country for a service, such as "us" and "wa", from the best shop of an engine.

    `engine` is one with `operations=RENTALS`; it may be left out where a program runs only one. Nobody is asked who is
    known to cost more than `max_price`, in the unit of the shops' prices; the shops are told of it, too. A repeated
    `idempotency_key` joins the first rental under it, also after a restart. Without a key, a number is given back if
    its caller is gone before it has been rented.
    Errors: InvalidRequest before anything is sent; RequestError as of `Engine.call`: of these only OutcomeUnknown may
            have been executed. Without `engine`, EngineClosed if none is running, ValueError if several are.
    """
    engine = engine or the_engine_for(RENT.name)
    _check(engine, country=country, service=service)
    answer = await engine.call(
        RENT.name,
        context={"country": country, "service": service},
        effect=RENT.effect,
        max_price=max_price,
        deadline_ms=deadline_ms,
        idempotency_key=idempotency_key,
        preferred=preferred,
    )
    return Rental(
        provider=answer.provider,
        activation_id=answer.reference or "",
        request_id=answer.request_id,
        country=country,
        service=service,
        price=_price(answer),
        failovers=answer.failovers,
        number=told(answer, "number"),
        engine=engine,
    )


def _check(engine: Engine, **names: str) -> None:
    """Refuse an engine that would put numbers on record in clear, and names that no shop would understand.

    Errors: InvalidRequest.
    """
    missing = [one.name for one in RENTALS if not engine.declares(one.name)]
    if missing:
        raise InvalidRequest(f"the engine was not given {', '.join(missing)}: make it with operations=RENTALS")
    for what, name in names.items():
        if isinstance(name, str) and name != name.strip():  # type: ignore[redundant-expr]
            raise InvalidRequest(f"{what} has spaces around it: {name!r}")


def _price(answer: Answer) -> Decimal | None:
    """What the provider charges: as the call told, else as its answer has it; nobody pays less than nothing."""
    named = told(answer, "price") if answer.cost is None else answer.cost
    try:
        price = None if named is None else Decimal(named)
    except InvalidOperation:
        return None
    return price if price is not None and price.is_finite() and price >= 0 else None
