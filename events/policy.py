"""The policy: every threshold that decisions read, content-hashed and written into the log whole."""

import hashlib
from collections.abc import Collection, Iterable
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Final, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError, to_json

from understudy.events.drill_schedule import ScheduleLine, expect_possible
from understudy.events.exact import in_parts
from understudy.events.names import nearest
from understudy.events.vocabulary import ServicePriority, Strategy

ProviderId = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$")]
Dimension = Annotated[str, StringConstraints(pattern=r"^(operation|service|country|rental_id|pair)$")]
PageUrl = Annotated[str, StringConstraints(max_length=500, pattern=r"^https?://[^\s/@]+(/\S*)?$")]
Ware = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^:\s]*:[^:\s]*$")]
Share = Annotated[Decimal, Field(ge=0, le=1)]
Percent = Annotated[Decimal, Field(ge=0, le=100)]
Milliseconds = Annotated[int, Field(ge=0, le=10**10)]
PositiveMilliseconds = Annotated[int, Field(ge=1, le=10**10)]
EmergencyLimit = Annotated[Decimal, Field(gt=0)] | dict[str, Annotated[Decimal, Field(gt=0)]] | None


_UNKNOWN: Final = "unknown_setting"


class Settings(BaseModel):
    """Frozen settings that refuse unknown names, each with the name that was most likely meant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="wrap")
    @classmethod
    def _named_well(cls, values: Any, validated: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return validated(values)
        except ValidationError as error:
            faults = error.errors(include_url=False)
            if not any(one["type"] == "extra_forbidden" for one in faults):
                raise
            told = [_told(one, known=cls.model_fields) for one in faults]
            raise ValidationError.from_exception_data(error.title, told) from None


def _told(fault: ErrorDetails, *, known: Collection[str]) -> InitErrorDetails:
    """A fault as it was found, an unknown name in words that help."""
    kind: str | PydanticCustomError = fault["type"]
    if kind == "extra_forbidden":
        name = str(fault["loc"][-1])
        kind = PydanticCustomError(_UNKNOWN, f"unknown setting {name}{_advice(name, known)}")
    elif kind == _UNKNOWN:  # Of a provider, told already.
        kind = PydanticCustomError(_UNKNOWN, fault["msg"])
    return InitErrorDetails(type=kind, loc=fault["loc"], input=fault["input"], ctx=fault.get("ctx", {}))


def _advice(name: str, known: Collection[str]) -> str:
    if name in ProviderSettings.model_fields and known is not ProviderSettings.model_fields:
        return f"; it is a setting of a provider: ProviderSettings({name}=...)"
    if name in Policy.model_fields and known is not Policy.model_fields:
        return f"; it is a setting of the whole policy: Policy({name}=...)"
    meant = nearest(name, known)
    return f"; did you mean {meant}?" if meant else ""


class Fees(Settings):
    """What a provider takes for a conversion, where its quotes tell only a rate.

    Units:  `percent` and `spread` are percent of what is bought; `flat` is taken off the amount sold, in its coin;
            `withdrawal` off what is paid out, by the coin bought (a coin that is not named costs nothing).
    """

    percent: Percent = Decimal(0)
    spread: Percent = Decimal(0)
    flat: Decimal = Field(default=Decimal(0), ge=0)
    withdrawal: dict[str, Annotated[Decimal, Field(ge=0)]] = Field(default_factory=dict)


class ProviderSettings(Settings):
    """One provider as decisions see it. Fields left None take the policy's value.

    Shape:  the `has_…` fields, `two_part` and `settle_ms` are read off the provider object by the engine; they stand
            here because decisions depend on them.
    """

    id: ProviderId
    priority: ServicePriority = Field(default=ServicePriority.PRIMARY, description="The tier, 1 to 4.")
    weight: Decimal = Field(default=Decimal(1), ge=0, le=10**6, description="Share of traffic within the tier.")
    price: Decimal | None = Field(default=None, ge=0, description="Usual price of one call; breaks ties of score.")
    free_price: bool = Field(default=False, description="Sells to the highest bid: a first step, if that is enabled.")
    max_failures: int | None = Field(default=None, ge=1, description="Failed requests in a row that open the circuit.")
    recovery_time_ms: PositiveMilliseconds | None = Field(default=None, description="Rest before the first probe.")
    request_timeout_ms: PositiveMilliseconds | None = Field(default=None, description="Limit of one call.")
    trust_ping: bool | None = Field(default=None, description="A successful ping alone closes the circuit.")
    max_calls_per_second: Decimal | None = Field(default=None, gt=0, le=10**6, description="Our own rate limit.")
    burst: int | None = Field(default=None, ge=1, description="Calls at once under it; none: 1, or 3 for quotes.")
    max_in_flight: int | None = Field(default=None, ge=1, description="Calls under way at once.")
    fees: Fees = Field(default_factory=Fees, description="What it takes for a conversion.")
    status_page_url: PageUrl | None = Field(
        default=None, description="Where it says how it is; shown wherever it is ill, read by no decision."
    )
    has_ping: bool = False
    has_lookup: bool = False
    has_quote: bool = False
    has_sync: bool = False
    two_part: bool = False
    settle_ms: Milliseconds = Field(default=0, description="How long after a call an 'absent' is not yet believed.")

    @model_serializer(mode="wrap")
    def _without_what_nobody_gave(self, told: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Presentation that is not there leaves no trace: a policy without it is the one that it was before."""
        found: dict[str, Any] = told(self)
        if self.status_page_url is None:
            found.pop("status_page_url", None)
        return found


class Policy(Settings):
    """How providers are chosen, retried and isolated. Defaults come from the users' documents."""

    strategy: Strategy = Strategy.SCORE
    fallback_enabled: bool = Field(default=True, description="Off: only the first choice is ever asked.")
    preferred_provider: ProviderId | None = Field(default=None, description="Put first whenever it is eligible.")
    exploration: Share = Field(default=Decimal("0.01"), description="Share of decisions that start elsewhere.")
    explore_once: bool = Field(default=False, description="Explore with `once` operations too.")
    max_providers: int | None = Field(default=None, ge=1, description="Providers that one request may try.")

    window: int = Field(default=100, ge=1, le=10_000, description="Outcomes that a lane remembers.")
    lane_by: tuple[Dimension, ...] = Field(
        default=(), description="Context that splits a provider's record; changed, records begin anew."
    )
    stale_after_ms: Milliseconds = Field(
        default=86_400_000, description="A lane unused for so long counts as unknown again."
    )
    min_success_rate: Percent = Field(default=Decimal(95), description="Below it a provider is degraded.")
    max_response_time_ms: Milliseconds = Field(default=3_000, description="An average above it is degraded.")

    request_timeout_ms: PositiveMilliseconds = Field(default=5_000, description="Limit of one provider call.")
    deadline_ms: PositiveMilliseconds = Field(default=30_000, description="Limit of a whole request.")
    retry_attempts: int = Field(default=2, ge=0, le=20, description="More tries at the same provider.")
    retry_delay_ms: Milliseconds = Field(default=500, description="First back-off; doubles, with full jitter.")
    retry_delay_cap_ms: Milliseconds = Field(default=30_000, description="Longest back-off.")
    retry_budget: Share = Field(default=Decimal("0.2"), description="Retries allowed, as a share of recent calls.")
    retry_budget_min: int = Field(default=10, ge=0, description="Retries allowed in a minute whatever the share.")
    throttle_ms: Milliseconds = Field(default=1_000, description="Pause after a throttle that names no time.")
    lookup_interval_ms: PositiveMilliseconds = Field(default=500, description="First pause between look-ups; doubles.")
    lookup_interval_cap_ms: PositiveMilliseconds = Field(default=300_000, description="Longest pause between look-ups.")

    max_failures: int = Field(default=3, ge=1, description="Failed requests in a row that open a circuit.")
    recovery_time_ms: PositiveMilliseconds = Field(default=300_000, description="Rest before the first probe.")
    recovery_time_cap_ms: PositiveMilliseconds = Field(default=3_600_000, description="Longest rest; rests double.")
    probe_permit_ms: PositiveMilliseconds = Field(default=30_000, description="How long one probe keeps others out.")
    trust_ping: bool = Field(default=False, description="A successful ping alone closes a circuit.")
    last_resort_ms: PositiveMilliseconds | None = Field(
        default=None, description="Pause between requests to an open circuit while nobody may be asked; none: never."
    )
    max_failure_rate: Percent | None = Field(default=None, description="Failure rate that opens a circuit.")
    slow_call_ms: Milliseconds | None = Field(default=None, description="A call that takes longer is slow.")
    max_slow_rate: Percent | None = Field(default=None, description="Share of slow calls that opens a circuit.")
    min_calls: int = Field(default=20, ge=1, description="Calls before a rate may open a circuit.")
    ping_interval_ms: PositiveMilliseconds = Field(default=10_000, description="Idle providers are pinged so often.")
    ping_retry_ms: PositiveMilliseconds = Field(default=2_000, description="Pause after a failed ping.")

    max_calls_per_second: Decimal | None = Field(default=None, gt=0, le=10**6, description="Global rate limit.")
    burst: int = Field(default=10, ge=1, description="Calls that may go at once under the global rate limit.")
    max_in_flight: int | None = Field(default=None, ge=1, description="Calls under way at once, all providers.")

    parallel_queries: bool = Field(default=True, description="Off: quotes are asked for one after another.")
    max_parallel_requests: int = Field(default=3, ge=1, description="Providers asked for quotes in one round.")
    always_use_best_rate: bool = Field(default=True, description="Off: the strategy alone chooses among honest quotes.")
    max_rate_difference: Share = Field(default=Decimal("0.02"), description="A quote further off is not honest.")
    quote_grace_ms: Milliseconds | None = Field(
        default=None, description="After two quotes others have so long; none: all their time."
    )
    quote_max_age_ms: PositiveMilliseconds = Field(default=15_000, description="A quote older than this is asked anew.")
    rate_history_ms: Milliseconds = Field(default=1_800_000, description="How long an agreed rate is a reference.")
    stuck_after_ms: PositiveMilliseconds = Field(
        default=180_000, description="A rate unchanged for so long may be stuck."
    )
    max_stuck_difference: Share = Field(
        default=Decimal("0.005"), description="It is, if further from the others than this."
    )
    trust_lone_quote: bool = Field(default=False, description="Take a quote that nothing can be compared with.")
    quarantine_after: int = Field(default=5, ge=1, description="Bad quotes in a row that put a provider in quarantine.")
    quarantine_ms: PositiveMilliseconds = Field(default=600_000, description="How long a quarantine lasts.")
    release_after: int = Field(
        default=2, ge=0, description="Honest quotes in a row that end it earlier; 0: they are not asked for."
    )
    max_emergency_amount: EmergencyLimit = Field(
        default=None, description="Most that goes through an emergency provider, alike or by the coin sold."
    )

    stock_ttl_ms: Milliseconds = Field(default=43_200_000, description="Age at which a stock belief is forgotten.")
    sold_out_ttl_ms: Milliseconds = Field(default=60_000, description="How long an `out_of_stock` is believed.")
    max_price: Decimal | None = Field(
        default=None, gt=0, description="Most that is paid for one, unless a caller says otherwise."
    )
    free_price_enabled: bool = Field(
        default=False, description="Whoever sells to the highest bid is asked first, with `max_price` as the bid."
    )
    phantom_after: int = Field(default=3, ge=1, description="Refusals in spite of told stock that make it phantom.")
    sync_interval_ms: PositiveMilliseconds = Field(
        default=21_600_000, description="How often a provider is asked for all its stock and prices."
    )
    local_fault_window_ms: Milliseconds = Field(default=10_000, description="Failures so close together are one.")
    local_fault_share: Share = Field(default=Decimal("0.8"), description="Share of providers that is 'nearly all'.")
    local_fault_min_providers: int = Field(default=3, ge=2, description="Fewer cannot tell a local fault.")

    alert_success_rate: Percent = Field(default=Decimal(90), description="Alert below it; 0: never.")
    alert_success_margin: Percent = Field(default=Decimal(3), description="It clears so many points above.")
    alert_min_calls: int = Field(default=20, ge=1, description="Calls, or requests, before a share may alert.")
    alert_circuit_open_ms: Milliseconds = Field(
        default=900_000, description="Alert when a circuit has not been closed for so long; 0: never."
    )
    alert_fallback_share: Share = Field(
        default=Decimal("0.3"), description="Alert when more requests are served after a failover; 1: never."
    )
    alert_fallback_margin: Share = Field(default=Decimal("0.1"), description="It clears so far below.")
    alert_fallback_requests: int = Field(default=100, ge=1, le=1_000, description="Latest requests that count there.")
    alert_min_stock: int | None = Field(default=None, ge=1, description="Alert below so many units; none: never.")
    alert_stock_margin: int = Field(default=10, ge=0, description="It clears so many units above.")
    alert_stock_of: tuple[Ware, ...] = Field(
        default=(), description="Only for these, each as country:service; none: for all."
    )
    drill_max_ms: PositiveMilliseconds = Field(default=3_600_000, description="Longest time that a drill may last.")
    drill_schedule: tuple[ScheduleLine, ...] = Field(default=(), description="Drills that are held by themselves.")

    providers: tuple[ProviderSettings, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ids = [provider.id for provider in self.providers]
        repeated = sorted({one for one in ids if ids.count(one) > 1})
        if repeated:
            raise ValueError(f"provider {repeated[0]!r} is configured twice; ids must be unique")
        if self.preferred_provider is not None and ids and self.preferred_provider not in ids:
            raise ValueError(
                f"preferred_provider {self.preferred_provider!r} is not configured; known: {', '.join(ids)}"
            )
        expect_possible(self.drill_schedule, ids, most_ms=self.drill_max_ms)
        if (self.max_slow_rate is None) != (self.slow_call_ms is None):
            raise ValueError("slow_call_ms and max_slow_rate belong together; set both or neither")
        return self

    @cached_property
    def by_id(self) -> dict[str, ProviderSettings]:
        """The providers by their ids, in configured order."""
        return {settings.id: settings for settings in self.providers}

    @cached_property
    def weights_ppm(self) -> dict[str, int]:
        """The weights in millionths: what is not zero is at least one."""
        return {one.id: max(in_parts(one.weight, 1_000_000), int(one.weight > 0)) for one in self.providers}

    @cached_property
    def prices(self) -> dict[str, Decimal]:
        """The prices that are known."""
        return {one.id: one.price for one in self.providers if one.price is not None}

    @cached_property
    def exploration_ppm(self) -> int:
        """The exploration share in parts per million."""
        return in_parts(self.exploration, 1_000_000)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the policy as compact JSON, in hex."""
        return hashlib.sha256(to_json(self)).hexdigest()

    def timeout_us(self, provider: str) -> int:
        """How long a call of a provider may take, in microseconds; the engine's own limit for one that is not named."""
        settings = self.by_id.get(provider)
        return ((settings and settings.request_timeout_ms) or self.request_timeout_ms) * 1000

    def with_providers(self, providers: Iterable[ProviderSettings]) -> "Policy":
        """The same policy for these providers, validated anew."""
        settings = {name: getattr(self, name) for name in Policy.model_fields}
        return Policy.model_validate({**settings, "providers": tuple(providers)})

    def __copy__(self) -> Self:
        """A copy without what has been worked out from the settings: `model_copy` goes on to change those."""
        copied = super().__copy__()
        for name in copied.__dict__.keys() - Policy.model_fields.keys():
            del copied.__dict__[name]
        return copied
