"""What a provider is, and what passes between it and the engine."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol, runtime_checkable

from pydantic import JsonValue

from understudy.events.policy import ProviderSettings
from understudy.events.quotes import Quote
from understudy.events.record import record
from understudy.events.vocabulary import Effect, Finding


@record(kw_only=True)
class Request:
    """What a provider is asked: the caller's request, in the clear.

    Shape:  `context` is the caller's, for instance `{"country": "us", "service": "wa"}`; `body` is any JSON value.
            `quote` is this provider's own that was accepted; `created` what it answered to the first of two parts.
    Units:  `max_price` is the most that the caller pays, in the provider's own unit; where a provider sells to the
            highest bid, that is the bid.
    """

    request_id: str
    operation: str
    effect: Effect
    context: Mapping[str, str] = field(default_factory=dict)
    amount: Decimal | None = None
    body: JsonValue = None
    quote: Quote | None = None
    created: "Reply | None" = None
    max_price: Decimal | None = None


@record(kw_only=True)
class Reply:
    """A provider's answer with what the engine wants to know of it. A bare value counts as `Reply(value=value)`.

    Shape:  `reference` is the provider's own id of what was done. `stock` is set by stock calls, in units, `quote` by
            quotes.
    Units:  `cost` is what the provider charges, in its own unit; `amount_out` what a conversion really pays out, in the
            coin bought.
    """

    value: Any = None
    reference: str | None = None
    cost: Decimal | None = None
    stock: int | None = None
    quote: Quote | None = None
    amount_out: Decimal | None = None


@record(kw_only=True)
class Offer:
    """One line of the list of all that a provider has on offer.

    Shape:  `stock` and `price` are None where the provider does not say.
    Units:  `stock` in units; `price` is what one costs, in the provider's own unit.
    """

    country: str
    service: str
    stock: int | None = None
    price: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a look-up found out about an earlier call; `value`, `reference` and `amount_out` where it succeeded."""

    finding: Finding
    value: Any = None
    reference: str | None = None
    amount_out: Decimal | None = None

    def __post_init__(self) -> None:
        """Take the finding's plain name as well; ValueError for another."""
        object.__setattr__(self, "finding", Finding(self.finding))


@record
class Deadline:
    """The instant at which the engine stops listening, in engine time.

    Units:  `at_us` in microseconds since 1970.
    """

    at_us: int
    _now_us: Callable[[], int]

    def remaining_s(self) -> float:
        """Seconds left; 0 once it has passed."""
        return max(0, self.at_us - self._now_us()) / 1_000_000


@runtime_checkable
class Provider(Protocol):
    """Somewhere that can serve requests. Trying again and giving up are the engine's business.

    Besides `call`, an object may have `async ping()`, `async stock(request, *, deadline)` and `async quote(request, *,
    deadline)` (which returns a `Quote`, or a `Reply` with one), `async sync(*, deadline)` (which returns a list of
    `Offer`: all that there is), and `async lookup(operation, request, *, key, deadline) -> Found`; and the attributes
    `settings` (`ProviderSettings`), `settle_ms` (how long after a call an "absent" of the look-up is not yet to be
    believed), `two_part` (a `once` request is called as `create`, then as `commit`) and `free_price` (it sells to the
    highest bid: `request.max_price`).
    """

    @property
    def id(self) -> str:
        """The provider's name: unique within an engine, and for ever the same in the log."""

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Any:
        """Carry an operation out, once.

        Returns: a `Reply`, or any JSON value.
        Raises: a subclass of `ProviderError`. Anything else counts as ambiguous for writes, as transient for reads.
        """


AsyncFunction = Callable[..., Awaitable[Any]]
_OFFERED = ("operation", "request", "key", "deadline")
_BY_PLACE = _OFFERED[:2]


class FunctionProvider:
    """A provider made of plain async functions.

    Each is given those of `operation`, `request`, `key` and `deadline` that it names.
    """

    def __init__(self, settings: ProviderSettings, call: AsyncFunction, **extras: AsyncFunction) -> None:
        self.settings = settings
        self._call = call if _takes_all(call) else _accepting(call)
        for name, function in extras.items():
            setattr(self, name, _accepting(function))

    @property
    def id(self) -> str:
        """The provider's name."""
        return self.settings.id

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Any:
        """Call the function."""
        return await self._call(operation, request, key=key, deadline=deadline)


def provider(provider_id: str, /, **settings: Any) -> Callable[[AsyncFunction], FunctionProvider]:
    """Make a provider of an async function: `provider("alpha", priority=1)(fn)`, or as a decorator.

    `settings` are fields of `ProviderSettings`; `ping`, `stock`, `quote`, `sync` and `lookup` may be given as
    functions too.
    """
    extras = {name: settings.pop(name) for name in ("ping", "stock", "quote", "sync", "lookup") if name in settings}
    chosen = ProviderSettings(id=provider_id, **settings)

    for what, function in extras.items():
        _expect_async(provider_id, what, function)

    def wrap(function: AsyncFunction) -> FunctionProvider:
        _expect_async(provider_id, "call", function)
        return FunctionProvider(chosen, function, **extras)

    return wrap


def _expect_async(provider_id: str, what: str, function: object) -> None:
    """Refuse a plain function before a call finds out; whatever else can be called may return something to await."""
    if inspect.isfunction(function) and not _may_await(function):
        raise TypeError(
            f"provider {provider_id!r}: `{what}` must be an `async def`, and {function.__qualname__} is not"
        )


def by_id(providers: object) -> dict[str, Provider]:
    """The providers of an engine by their ids, in their order, each of them checked.

    Errors: TypeError for what is no list of providers, and what is no provider in it; ValueError if it is empty, or
            two have the same id.
    """
    if callable(getattr(providers, "call", None)):
        raise TypeError(f"providers is {providers!r}, one provider alone; pass a list: providers=[…]")
    if isinstance(providers, str) or not isinstance(providers, Iterable):
        raise TypeError(f"providers is {providers!r}, and must be a list of providers: providers=[…]")
    found: dict[str, Provider] = {}
    for one in providers:
        check_provider(one)
        if one.id in found:
            raise ValueError(f"two providers have the id {one.id!r}; ids must be unique")
        found[one.id] = one
    if not found:
        raise ValueError("providers is empty, and nobody could serve a request; pass at least one: providers=[…]")
    return found


def check_provider(one: object) -> None:
    """Refuse what cannot be called as a provider, before a request finds out.

    Errors: TypeError, saying what is missing.
    """
    if isinstance(one, type):
        raise TypeError(f"{one!r} is a class, and no provider yet; pass an object of it: {one.__name__}(…)")
    name = getattr(one, "id", None)
    if not isinstance(name, str) or not callable(getattr(one, "call", None)):
        raise TypeError(
            f"{one!r} is no provider: it needs an `id` and an `async def call`, or make it one by provider(…)"
        )
    wanted = {
        "call": ("an operation", "a request"),
        "lookup": ("an operation", "a request"),
        "stock": ("a request",),
        "quote": ("a request",),
        "sync": (),
        "ping": (),
    }
    keywords = {"call": {"key": "", "deadline": 0}, "lookup": {"key": "", "deadline": 0}, "ping": {}}
    for method, given in wanted.items():
        function = getattr(one, method, None)
        if function is None:
            continue
        if inspect.ismethod(function) and not _may_await(function):
            raise TypeError(f"provider {name!r}: `{method}` must be an `async def`")
        try:
            inspect.signature(function).bind(*given, **keywords.get(method, {"deadline": 0}))
        except TypeError as error:
            takes = ", ".join([*given, *keywords.get(method, {"deadline": 0})])
            raise TypeError(f"provider {name!r}: `{method}` must take ({takes}): {error}") from error


def _may_await(function: Callable[..., Any]) -> bool:
    """Whether a function is a coroutine function, or at least says that it may return something to await."""
    if inspect.iscoroutinefunction(function):
        return True
    told = inspect.signature(function).return_annotation
    if told is inspect.Parameter.empty or told is None:
        return False
    return not isinstance(told, type) or told is object or issubclass(told, Awaitable)


def settings_of(one: Provider, configured: Mapping[str, ProviderSettings], *, pinged: bool) -> ProviderSettings:
    """A provider's settings: the policy's, else its own; what it is able to do is read off the object.

    One that nobody pings counts as one that cannot be: else its circuit would wait for a ping for ever.
    """
    own = getattr(one, "settings", None)
    base = configured.get(one.id) or (own if isinstance(own, ProviderSettings) else ProviderSettings(id=one.id))
    settle_ms = int(getattr(one, "settle_ms", 0)) or base.settle_ms
    return base.model_copy(
        update={
            "has_ping": pinged and callable(getattr(one, "ping", None)),
            "has_lookup": callable(getattr(one, "lookup", None)),
            "has_quote": callable(getattr(one, "quote", None)),
            "has_sync": callable(getattr(one, "sync", None)),
            "two_part": getattr(one, "two_part", base.two_part) is True,
            "free_price": getattr(one, "free_price", base.free_price) is True,
            "settle_ms": settle_ms,
        }
    )


def _takes_all(function: AsyncFunction) -> bool:
    """Whether a function takes everything as a call offers it: there is nothing to adapt."""
    parameters = inspect.signature(function, follow_wrapped=False).parameters.values()
    by_name = [one.name for one in parameters if one.kind is one.KEYWORD_ONLY and one.name not in _BY_PLACE]
    return (*(one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD), *by_name) == _OFFERED


def _accepting(function: AsyncFunction) -> AsyncFunction:
    parameters = inspect.signature(function).parameters.values()
    if any(one.kind is one.VAR_KEYWORD for one in parameters):
        wanted: tuple[str, ...] = _OFFERED
    else:
        wanted = tuple(one.name for one in parameters)
    unknown = [name for name in wanted if name not in _OFFERED]
    if unknown:
        raise TypeError(f"a provider function is given {', '.join(_OFFERED)}; it cannot be given {unknown[0]!r}")

    async def adapted(*positional: Any, **keywords: Any) -> Any:
        offered = {
            **dict(
                zip(
                    _BY_PLACE[-len(positional) :] if positional else (),
                    positional,
                    strict=True,
                )
            ),
            **keywords,
        }
        return await function(**{name: offered[name] for name in wanted if name in offered})

    return adapted
