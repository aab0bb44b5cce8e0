"""Scenarios: made-up weather for providers and traffic for the engine, written in TOML and checked before use."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, ValidationError, field_validator, model_validator

from understudy.events.errors import UnderstudyError
from understudy.events.policy import Policy, ProviderId, ProviderSettings, Settings
from understudy.events.vocabulary import Effect, FailureKind
from understudy.replay.files import read_text, unreadable
from understudy.replay.market import MOVES_AT_MOST, Conversion, QuoteScript
from understudy.replay.runs import SimulationError
from understudy.replay.scenario_faults import faults

REQUESTS_AT_MOST: Final = 300_000
"""The most that a scenario may ask for: a run is held in memory whole."""

PolicyReader = Callable[[Mapping[str, object], str], Policy]
"""Makes a policy of a table of settings, whose place it is told. Errors: UnderstudyError with a fault in each line."""


def _printable(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError(f"it must be printable characters, at least one, and not {text[:50]!r}")
    return text


Name = Annotated[str, Field(max_length=200), AfterValidator(_printable)]
"""What the engine takes for a name."""
Share = Decimal
_SWITCHES: Final = "ping, lookup, quotes, two_part and settle_ms"
_SET_ELSEWHERE: Final = frozenset({"id", "settle_ms", "has_ping", "has_lookup", "has_quote", "has_sync", "two_part"})


class Phase(Settings):
    """How a provider behaves for a while. Where phases overlap, the one that stands last in the file counts.

    Shape:  a call is answered after a latency drawn from the log-normal distribution with this median and 95th
            percentile (constant without `p95_ms`), then fails with the shares of `failures`, else succeeds. Of the
            failures that may have been executed, `executed_share` were. `refuses` fails at once on the network,
            `hangs` never answers. With `up_s` and `down_s` the provider is up and refusing by turns. Quotes fail as
            calls do, unless `quotes` says otherwise; `rate_factor` 1.08 is a lie by 8 %, and with `rate_stuck` they
            stay what the market was when the phase began.
    """

    from_s: Decimal = Field(default=Decimal(0), ge=0)
    until_s: Decimal | None = Field(default=None, description="None: to the end.")
    state: Literal["up", "refuses", "hangs"] = "up"
    latency_ms: int = Field(default=100, ge=0, le=10**7)
    p95_ms: int | None = Field(default=None, ge=0, le=10**7)
    failures: dict[FailureKind, Share] = Field(default_factory=dict)
    executed_share: Share = Field(default=Decimal(0), ge=0, le=1)
    max_calls_per_second: int | None = Field(default=None, ge=1, description="More are answered with 429.")
    retry_after_ms: int | None = Field(default=None, ge=0, description="What the 429 says.")
    capacity: int | None = Field(default=None, ge=1, description="More calls at once are refused.")
    slower_by_ms: int = Field(default=0, ge=0, description="Added for each other call under way.")
    up_s: Decimal | None = Field(default=None, gt=0, description="Flapping: up so long,")
    down_s: Decimal | None = Field(default=None, gt=0, description="then down so long.")
    pings: Literal["as_calls", "fine", "fail"] = "as_calls"
    quotes: Literal["as_calls", "fine", "fail"] = "as_calls"
    rate_factor: Decimal = Field(default=Decimal(1), gt=0, le=10**6)
    rate_stuck: bool = False
    sold_out: bool = Field(default=False, description="Nothing is left, and its lists say so.")
    value: JsonValue = Field(default="ok", description="What a success replies.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.until_s is not None and self.until_s <= self.from_s:
            raise ValueError(f"until_s {self.until_s} is not after from_s {self.from_s}")
        if self.p95_ms is not None and (self.p95_ms < self.latency_ms or self.latency_ms == 0):
            raise ValueError(f"p95_ms {self.p95_ms} must not be below latency_ms {self.latency_ms}, and that not 0")
        if sum(self.failures.values()) > 1 or any(share < 0 for share in self.failures.values()):
            raise ValueError("the shares in failures must be from 0 to 1, and no more than 1 together")
        if (self.up_s is None) != (self.down_s is None):
            raise ValueError("up_s and down_s belong together; set both or neither")
        return self

    def covers(self, second: Decimal) -> bool:
        """Whether the phase is on at a second since the start."""
        return self.from_s <= second and (self.until_s is None or second < self.until_s)


class OnOffer(Settings):
    """A line of the list that a scripted provider gives of what it has; `price` is also what it charges."""

    country: Name
    service: Name
    stock: int | None = Field(default=None, ge=0)
    price: Decimal | None = Field(default=None, ge=0, le=10**9)


class Script(Settings):
    """A scripted provider. `settings` are those of the policy; what it can do besides `call` is switched on here."""

    id: ProviderId
    settings: dict[str, Any] = Field(default_factory=dict, description="Fields of ProviderSettings but the id.")
    ping: bool = False
    lookup: bool = False
    settle_ms: int = Field(default=0, ge=0, description="When an execution becomes visible to look-ups.")
    units: int | None = Field(default=None, ge=0, description="What there is; each execution takes one.")
    listed_units: int | None = Field(default=None, ge=0, description="What stock calls say, if not the truth.")
    offers: tuple[OnOffer, ...] = Field(default=(), description="What it lists; nothing: it cannot list.")
    quotes: QuoteScript | None = Field(default=None, description="How it quotes; none: it cannot.")
    two_part: bool = Field(default=False, description="It creates a conversion first, and then commits it.")
    phases: tuple[Phase, ...] = (Phase(),)

    @property
    def for_policy(self) -> ProviderSettings:
        """The provider's settings as the engine reads them."""
        return ProviderSettings(id=self.id, settle_ms=self.settle_ms, **self.settings)

    @model_validator(mode="after")
    def _settings_fit(self) -> Self:
        mine = sorted(_SET_ELSEWHERE & self.settings.keys())
        if mine:
            raise ValueError(f"settings.{mine[0]} is not set here; see {_SWITCHES} of the provider")
        try:
            _ = self.for_policy
        except ValidationError as error:
            found = faults(error, self.settings, model=ProviderSettings)
            raise ValueError("\n".join(f"settings.{one}" for one in found)) from error
        return self


class Burst(Settings):
    """Requests that come together: `requests` of them from `at_s` on, `spacing_ms` apart."""

    at_s: Decimal = Field(ge=0)
    requests: int = Field(ge=1, le=1_000_000)
    spacing_ms: int = Field(default=0, ge=0)


class Arrivals(Settings):
    """When requests come: evenly or at random with a rate, or in bursts, or both."""

    per_second: Decimal | None = Field(default=None, gt=0, le=10_000)
    pattern: Literal["even", "random"] = "even"
    bursts: tuple[Burst, ...] = ()

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.per_second is None and not self.bursts:
            raise ValueError("no request would ever come; set per_second or bursts")
        return self


class Outage(Settings):
    """A fault of our own: nobody can be reached."""

    from_s: Decimal = Field(ge=0)
    until_s: Decimal

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.until_s <= self.from_s:
            raise ValueError(f"until_s {self.until_s} is not after from_s {self.from_s}")
        return self


class Scenario(Settings):
    """A whole run. Everything random in it follows from `seed`.

    Shape:  `concurrency` limits the requests under way; more have to wait before they start. `tries` is how often a
            caller tries by itself. `cancel_after_ms` is when callers lose patience, those who come from
            `cancel_from_s` until `cancel_until_s`. `stock_every_s` has stock asked for regularly.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    description: str
    seed: int = Field(default=1, ge=0)
    duration_s: Decimal = Field(gt=0, le=10**8)
    arrivals: Arrivals
    operation: Name = "fetch"
    effect: Effect = Effect.READ
    concurrency: int = Field(default=10_000, ge=1)
    context: dict[Name, Name] = Field(default_factory=dict)
    deadline_ms: int | None = Field(default=None, ge=1)
    tries: int = Field(default=1, ge=1, le=10)
    cancel_after_ms: int | None = Field(default=None, ge=1)
    cancel_from_s: Decimal = Decimal(0)
    cancel_until_s: Decimal | None = None
    stock_every_s: Decimal | None = Field(default=None, gt=0)
    policy: Policy = Policy()
    providers: tuple[Script, ...] = Field(min_length=1)
    local_faults: tuple[Outage, ...] = ()
    conversion: Conversion | None = None

    @field_validator("policy")
    @classmethod
    def _providers_elsewhere(cls, policy: Policy) -> Policy:
        if policy.providers:
            raise ValueError("providers are not configured in policy but in each provider's settings")
        return policy

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Everything that concerns several fields, told at once, a line each."""
        found = []
        ids = [one.id for one in self.providers]
        found += [
            f"provider {one!r} is scripted twice; ids must be unique" for one in sorted({*ids}) if ids.count(one) > 1
        ]
        if self.cancel_until_s is not None and self.cancel_until_s <= self.cancel_from_s:
            found.append(f"cancel_until_s {self.cancel_until_s} is not after cancel_from_s {self.cancel_from_s}")
        if (asked := self.requests) > REQUESTS_AT_MOST:
            found.append(
                f"it asks for {asked:,} requests, and everything is held in memory: {REQUESTS_AT_MOST:,} are the most;"
                " make duration_s, arrivals.per_second or the bursts smaller"
            )
        found += self._against_quotes()
        if found:
            raise ValueError("\n".join(found))
        return self

    def _against_quotes(self) -> Iterator[str]:
        """What does not fit together about conversions."""
        if self.conversion is None:
            for one in self.providers:
                if one.quotes is not None:
                    yield f"provider {one.id!r} quotes, but nothing is converted; add a table named conversion"
            return
        if all(one.quotes is None for one in self.providers):
            yield "nobody could convert anything; give providers a table named quotes"
        if "pair" in self.context:
            yield "context.pair is not set here; see conversion.pair"
        if self.duration_s / self.conversion.step_s > MOVES_AT_MOST:
            yield f"the market would move more than {MOVES_AT_MOST:,} times; make conversion.step_s larger"

    @property
    def requests(self) -> int:
        """About how many requests will come."""
        steady = int(self.duration_s * (self.arrivals.per_second or 0))
        return steady + sum(burst.requests for burst in self.arrivals.bursts)


def read_scenario(path: Path, *, policy: PolicyReader | None = None) -> Scenario:
    """A scenario from a file; `policy` reads its table of that name where the model alone is too strict.

    Errors: SimulationError naming file and place, one line for each fault.
    """
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise SimulationError(unreadable(path, error)) from error
    return parse_scenario(text, source=str(path), policy=policy)


def parse_scenario(text: str, *, source: str, policy: PolicyReader | None = None) -> Scenario:
    """A scenario from TOML text; `source` is named in errors, `policy` as in `read_scenario`.

    Errors: SimulationError naming the place, one line for each fault.
    """
    try:
        values: dict[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SimulationError(f"{source}: not valid TOML: {error}") from error
    found: list[str] = []
    if policy is not None and isinstance(values.get("policy"), dict):
        try:
            values["policy"] = policy(values["policy"], f"{source}: policy")
        except UnderstudyError as error:
            found += str(error).splitlines()
            del values["policy"]
    try:
        scenario = Scenario.model_validate(values)
    except ValidationError as error:
        found += [f"{source}: {one}" for one in faults(error, values, model=Scenario)]
    else:
        if not found:
            return scenario
    raise SimulationError("\n".join(found)) from None


def bundled_scenarios() -> tuple[str, ...]:
    """The names of the scenarios that come with the package, in order."""
    folder = files("understudy.replay") / "scenarios"
    return tuple(sorted(one.name.removesuffix(".toml") for one in folder.iterdir() if one.name.endswith(".toml")))


def bundled_scenario(name: str) -> Scenario:
    """A scenario that comes with the package.

    Errors: SimulationError naming those that there are.
    """
    known = bundled_scenarios()
    if name not in known:
        raise SimulationError(f"there is no scenario {name!r} in the package; there are {', '.join(known)}")
    text = (files("understudy.replay") / "scenarios" / f"{name}.toml").read_text(encoding="utf-8")
    return parse_scenario(text, source=f"{name}.toml")
