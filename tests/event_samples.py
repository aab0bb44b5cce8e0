"""Events of every kind: made up by hypothesis, and one full example of each for the golden files."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st

from understudy.events.alerts import (
    AlertChannelsSet,
    AlertDelivered,
    AlertDeliveryFailed,
    AlertSilenced,
    DigestDue,
    SilenceLifted,
    Told,
)
from understudy.events.calls import CallAbandoned, CallFailed, CallStarted, CallSucceeded
from understudy.events.codec import KINDS
from understudy.events.decisions import Candidate, DecisionMade
from understudy.events.desk import CommandRefused, NoteAdded, SubjectForgotten
from understudy.events.drills import DrillEnd, DrillEnded, DrillForm, DrillSkipped, DrillStarted
from understudy.events.fact import Fact
from understudy.events.operations import (
    AlertCleared,
    AlertRaised,
    ClockStepped,
    EngineStarted,
    EngineStopped,
    ModeChanged,
    OverrideCleared,
    OverrideSet,
    PolicyActivated,
    PreferencesChanged,
    ProbeRequested,
    SegmentArchived,
    SyncRequested,
)
from understudy.events.policy import Fees, Policy, ProviderSettings
from understudy.events.quotes import Consensus, JudgedQuote, QuarantineReleased, QuarantineSet, Quote, QuotesRequested
from understudy.events.requests import (
    RequestAccepted,
    RequestCancelled,
    RequestCompleted,
    RequestFailed,
    RequestResumed,
    RequestSuspended,
    RetryScheduled,
)
from understudy.events.stock import OffersListed
from understudy.events.vocabulary import (
    AbandonReason,
    Effect,
    EndReason,
    FailureKind,
    Finding,
    ForcedState,
    Mode,
    ServicePriority,
    Strategy,
    SuspendReason,
    Via,
)

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_WORDS = st.integers(min_value=-(2**63), max_value=2**63 - 1)
_JSON = st.recursive(
    st.none() | st.booleans() | _WORDS | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)
_DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=4)
_POLICIES = st.builds(
    Policy,
    strategy=st.sampled_from(Strategy),
    exploration=st.decimals(min_value=0, max_value=1, places=3),
    window=st.integers(min_value=1, max_value=10_000),
    providers=st.lists(
        st.builds(
            ProviderSettings, id=st.from_regex(r"\A[a-z][a-z0-9]{0,5}\Z"), price=st.none() | st.just(Decimal("1.50"))
        ),
        max_size=3,
        unique_by=lambda one: one.id,
    ).map(tuple),
)
_CANDIDATES = st.builds(
    Candidate,
    **dict.fromkeys(("provider", "verdict"), _TEXT),
    **dict.fromkeys(
        ("tier", "score", "rate_points", "speed_points", "stock_points", "recency_points", "propensity_ppm"), _WORDS
    ),
    **dict.fromkeys(
        (
            *("until_us", "success_bp", "average_us", "expected_us", "stock", "used_60s", "rank"),
            *("stock_age_us", "price_age_us"),
        ),
        st.none() | _WORDS,
    ),
    price=st.none() | _DECIMALS,
    degraded=st.none() | _TEXT,
    quote=st.none()
    | st.builds(JudgedQuote, rate=_DECIMALS, net=_DECIMALS, off_bp=st.none() | _WORDS, quoted_at_us=_WORDS),
)
_QUOTES = st.builds(
    Quote,
    rate=_DECIMALS,
    **dict.fromkeys(("amount_out", "min_amount", "max_amount"), st.none() | _DECIMALS),
    expires_at_us=st.none() | _WORDS,
    reference=st.none() | _TEXT,
)
_CONSENSUS = st.builds(
    Consensus,
    pair=_TEXT,
    basis=_TEXT,
    **dict.fromkeys(("reference", "agreed"), st.none() | _DECIMALS),
    honest=st.lists(_TEXT, max_size=3).map(tuple),
    excluded=st.dictionaries(_TEXT, _TEXT, max_size=3),
    confined=st.none() | st.dictionaries(_TEXT, _TEXT, max_size=3),
)
_BY_NAME: Final[Mapping[str, st.SearchStrategy[Any]]] = {
    "policy": _POLICIES,
    "reply": _JSON,
    "body": _JSON,
    "cost": st.none() | _DECIMALS,
    "amount": st.none() | _DECIMALS,
    "candidates": st.lists(_CANDIDATES, max_size=3).map(tuple),
    "order": st.lists(_TEXT, max_size=3).map(tuple),
    "tried": st.lists(_TEXT, max_size=3).map(tuple),
    "labels": st.dictionaries(_TEXT, _TEXT, max_size=3),
    "quoted": st.none() | st.just(True),
    "quote": st.none() | _QUOTES,
    "amount_out": st.none() | _DECIMALS,
    "amount_due": st.none() | _DECIMALS,
    "consensus": st.none() | _CONSENSUS,
    "providers": st.lists(_TEXT, max_size=3).map(tuple),
    "channels": st.lists(_TEXT, max_size=3).map(tuple),
    "max_price": st.none() | _DECIMALS,
    "offers": st.dictionaries(
        _TEXT, st.dictionaries(_TEXT, st.tuples(st.none() | _WORDS, st.none() | _DECIMALS), max_size=3), max_size=3
    ),
    "evidence": st.lists(_TEXT, max_size=3).map(tuple),
    "changes": st.dictionaries(_TEXT, _JSON, max_size=3),
    "kept_requests": st.lists(_TEXT, max_size=3).map(tuple),
    "kept_calls": st.lists(_WORDS, max_size=3).map(tuple),
    "per_second": st.none() | _DECIMALS,
    "context": st.none() | st.dictionaries(_TEXT, _TEXT, max_size=3),
    "observed": st.none() | st.lists(_TEXT, max_size=3).map(tuple),
}
_BY_TYPE: Final[Mapping[Any, st.SearchStrategy[Any]]] = {
    str: _TEXT,
    int: _WORDS,
    bool: st.booleans(),
    str | None: st.none() | _TEXT,
    int | None: st.none() | _WORDS,
    Finding | None: st.none() | st.sampled_from(Finding),
}


def facts(kind: str) -> st.SearchStrategy[Fact]:
    """Events of a kind with anything that its fields may hold."""
    event = KINDS[kind]
    return st.builds(event, **{field.name: _values(field.name, field.type) for field in fields(event)})


def _values(name: str, annotation: Any) -> st.SearchStrategy[Any]:
    found = _BY_NAME.get(name, _BY_TYPE.get(annotation))
    return st.sampled_from(annotation) if found is None else found


_CONTEXT: Final[Mapping[str, Any]] = {"service": "wa", "country": "us", "rental_id": "n-5", "pair": "BTC/USD"}
_CALL: Final[Mapping[str, Any]] = {
    "request_id": "0646f1f1a7c5e0123456789a",
    "provider": "alpha",
    "operation": "rent_number",
    "attempt": 2,
    "retry": 1,
    **_CONTEXT,
}
_OPERATOR: Final[Mapping[str, Any]] = {"actor": "ann", "reason": "maintenance"}
_REQUEST: Final = "0646f1f1a7c5e0123456789a"


def _drills() -> list[Fact]:
    line = "monthly on 1 at 03:00: brownout alpha for 60s"
    shared: dict[str, Any] = {"drill": "d1204", "form": DrillForm.BROWNOUT, "provider": "alpha"}
    return [
        DrillStarted(
            **shared,
            for_us=60_000_000,
            until_us=1_788_000_060_000_000,
            seed=7,
            share_bp=2_500,
            delay_us=1_000_000,
            line=line,
            due_us=1_788_000_000_000_000,
            **_OPERATOR,
        ),
        DrillEnded(**shared, cause=DrillEnd.STOPPED, **_OPERATOR),
        DrillSkipped(line=line, due_us=1_788_000_000_000_000, reason="no engine was running when it was due"),
        DrillStarted(
            drill="d1300",
            form=DrillForm.FLAP,
            provider="alpha",
            for_us=10_000_000,
            until_us=1_788_000_070_000_000,
            seed=8,
            every_us=2_000_000,
            part_of="d1299",
            **_OPERATOR,
        ),
        DrillStarted(
            drill="d1400",
            form=DrillForm.LOAD,
            for_us=10_000_000,
            until_us=1_788_000_090_000_000,
            seed=9,
            retry_after_us=1_000_000,
            at_once=2,
            operation="get_price",
            per_second=Decimal("50.5"),
            context={"country": "us"},
            **_OPERATOR,
        ),
        CallStarted(**_CALL, drill="d1204", key="k", deadline_at_us=1_788_000_005_000_000),
        CallSucceeded(**_CALL, drill="d1204", started_seq=17, latency_us=1_500_000),
        CallFailed(
            **_CALL,
            drill="d1204",
            outcome=FailureKind.TRANSIENT,
            started_seq=17,
            latency_us=0,
            message="drill d1204: brownout; nothing was sent",
        ),
        CallAbandoned(**_CALL, drill="d1204", started_seq=17, latency_us=0, reason=AbandonReason.CANCELLED),
    ]


def _examples() -> list[Fact]:
    alpha = ProviderSettings(
        id="alpha",
        priority=ServicePriority.SECONDARY,
        weight=Decimal("0.5"),
        price=Decimal("1.25"),
        max_failures=2,
        recovery_time_ms=60_000,
        request_timeout_ms=900,
        trust_ping=True,
        max_calls_per_second=Decimal("2.5"),
        burst=4,
        max_in_flight=8,
        has_ping=True,
        has_lookup=True,
        settle_ms=1_500,
    )
    policy = Policy(
        preferred_provider="alpha",
        max_providers=3,
        lane_by=("country", "service"),
        max_failure_rate=Decimal(50),
        slow_call_ms=2_000,
        max_slow_rate=Decimal(80),
        max_calls_per_second=Decimal(20),
        max_in_flight=100,
        providers=(alpha,),
    )
    chosen = Candidate(
        provider="alpha",
        tier=2,
        verdict="eligible",
        degraded="success_rate",
        score=104_500,
        rate_points=94_500,
        speed_points=10_000,
        stock_points=-5_000,
        recency_points=5_000,
        success_bp=9_450,
        average_us=812_345,
        expected_us=1_204_000,
        stock=9,
        used_60s=17,
        propensity_ppm=990_000,
        rank=1,
    )
    vetoed = Candidate(
        provider="beta",
        tier=1,
        verdict="circuit_open",
        until_us=1_700_000_300_000_000,
        score=115_000,
        rate_points=100_000,
        speed_points=10_000,
        stock_points=0,
        recency_points=5_000,
    )
    return [
        EngineStarted(version="0.1.0", rules_version=1, python="3.12.1", writer="host:42"),
        EngineStopped(writer="host:42"),
        ClockStepped(step_us=-3_600_000_000),
        PolicyActivated(policy=policy, policy_hash="0f" * 32),
        PreferencesChanged(
            changes={"preferred_provider": "beta", "fallback_enabled": False, "min_success_rate": "97.5"}, **_OPERATOR
        ),
        OverrideSet(provider="alpha", state=ForcedState.DRAIN, until_us=1_700_000_060_000_000, **_OPERATOR),
        OverrideCleared(provider="alpha", **_OPERATOR),
        ProbeRequested(provider="alpha", **_OPERATOR),
        ModeChanged(mode=Mode.DEGRADED, previous=Mode.NORMAL),
        AlertRaised(alert="misconfigured", subject="alpha", message="alpha does not accept our key or account"),
        AlertCleared(alert="misconfigured", subject="alpha"),
        AlertRaised(
            alert="log_trouble",
            subject="",
            message="the log cannot be written: disk full",
            told_us=1_700_000_000_000_000,
        ),
        *_alert_examples(),
        RequestAccepted(
            request_id=_REQUEST,
            operation="rent_number",
            effect=Effect.ONCE,
            deadline_at_us=1_700_000_030_000_000,
            free_to_abandon=True,
            preferred="alpha",
            labels={"tenant": "Zürich"},
            amount=Decimal("12.340"),
            body={"phone": {"$sensitive": "0123456789abcdef0123456789abcdef"}, "parts": [1, 2.5, None, True]},
            principal="shop",
            key="order-17",
            body_hash="a1" * 32,
            **_CONTEXT,
        ),
        RequestCancelled(request_id=_REQUEST, reason=EndReason.INTERRUPTED),
        DecisionMade(
            request_id=_REQUEST,
            provider="alpha",
            strategy=Strategy.SCORE,
            draw=2_147_483_647,
            tier=2,
            explored=True,
            pinned=True,
            order=("alpha",),
            candidates=(chosen, vetoed),
        ),
        CallStarted(key="5e" * 16, deadline_at_us=1_700_000_005_000_000, **_CALL),
        CallSucceeded(
            started_seq=5,
            latency_us=812_345,
            reply={"number": "…", "price": "0.10"},
            reference="ext-9",
            cost=Decimal("0.10"),
            stock=12,
            finding=Finding.SUCCEEDED,
            **_CALL,
        ),
        CallFailed(
            outcome=FailureKind.RATE_LIMITED,
            started_seq=5,
            latency_us=1_200,
            network=True,
            code="429",
            message="slow down",
            error_type="TooManyRequests",
            retry_after_us=2_000_000,
            **_CALL,
        ),
        CallAbandoned(started_seq=5, latency_us=99, reason=AbandonReason.NOT_SENT, **_CALL),
        RetryScheduled(request_id=_REQUEST, provider="alpha", until_us=1_700_000_000_250_000, reason="again"),
        RequestCompleted(
            request_id=_REQUEST, operation="rent_number", provider="alpha", attempt=3, failovers=1, via=Via.LOOKUP
        ),
        RequestFailed(
            request_id=_REQUEST,
            operation="rent_number",
            reason=EndReason.EXHAUSTED,
            attempt=4,
            tried=("alpha", "beta"),
            last_outcome="timed_out",
            last_message="no answer within 5000 ms",
        ),
        RequestSuspended(
            request_id=_REQUEST,
            operation="rent_number",
            provider="alpha",
            attempt=1,
            key="5e" * 16,
            reason=SuspendReason.NO_LOOKUP,
        ),
        RequestResumed(request_id=_REQUEST, executed=True, reference="ext-9", **_OPERATOR),
        *_quoted_examples(alpha, chosen),
        *_rental_examples(chosen),
    ]


def _alert_examples() -> list[Fact]:
    delivery: dict[str, Any] = {
        "channel": "webhook",
        "delivery_id": "0123456789abcdef0123456789abcdef",
        "notice_seq": 41,
        "told": Told.RAISED,
        "alert": "circuit_open",
        "subject": "alpha",
    }
    return [
        AlertSilenced(alert="circuit_open", subject="alpha", until_us=1_700_000_000_000_000, **_OPERATOR),
        AlertSilenced(alert="low_stock", until_us=1_700_000_000_000_000, **_OPERATOR),
        SilenceLifted(alert="circuit_open", subject="alpha", **_OPERATOR),
        AlertChannelsSet(channels=("webhook",)),
        AlertDelivered(**delivery, attempts=2),
        AlertDeliveryFailed(**delivery, attempts=10, error="it answered 503"),
        DigestDue(day="2026-01-31", day_us=1_769_817_600_000_000, since_us=1_769_756_400_000_000),
    ]


def _quoted_examples(alpha: ProviderSettings, chosen: Candidate) -> list[Fact]:
    """What there is where quotes are compared."""
    fees = Fees(
        percent=Decimal("0.16"), spread=Decimal(1), flat=Decimal("0.001"), withdrawal={"BTC": Decimal("0.0002")}
    )
    converter = alpha.model_copy(update={"fees": fees, "has_quote": True, "two_part": True})
    quote = Quote(
        rate=Decimal("0.06540"),
        amount_out=Decimal("0.0979"),
        min_amount=Decimal("0.01"),
        max_amount=Decimal(50),
        expires_at_us=1_700_000_020_000_000,
        reference="q-7",
    )
    judged = JudgedQuote(
        rate=quote.rate, net=Decimal("0.0979"), off_bp=-12, fade_ppm=350, quoted_at_us=1_700_000_000_000_000
    )
    consensus = Consensus(
        pair="ETH/BTC",
        basis="round_and_history",
        reference=Decimal("0.06548"),
        agreed=Decimal("0.06547"),
        honest=("alpha",),
        excluded={"beta": "rate_outlier"},
    )
    accepted = RequestAccepted(
        request_id=_REQUEST,
        operation="convert",
        effect=Effect.ONCE,
        deadline_at_us=1_700_000_030_000_000,
        amount=Decimal("1.5"),
        pair="ETH/BTC",
        quoted=True,
    )
    return [
        PolicyActivated(
            policy=Policy(
                max_emergency_amount={"ETH": Decimal(2)},
                quote_grace_ms=500,
                quarantine_ms=1_800_000,
                providers=(converter,),
            ),
            policy_hash="1e" * 32,
        ),
        accepted,
        QuotesRequested(
            request_id=_REQUEST,
            draw=17,
            providers=("alpha", "beta"),
            parallel=True,
            max_age_us=15_000_000,
            grace_us=500_000,
        ),
        QuotesRequested(
            request_id=_REQUEST,
            draw=17,
            providers=("alpha", "beta", "gamma"),
            parallel=True,
            max_age_us=15_000_000,
            observed=("gamma",),
        ),
        DecisionMade(
            request_id=_REQUEST,
            provider="alpha",
            strategy=Strategy.BEST_RATE,
            draw=17,
            tier=2,
            order=("alpha",),
            candidates=(replace(chosen, quote=judged),),
            consensus=consensus,
        ),
        DecisionMade(
            request_id=_REQUEST,
            provider="alpha",
            strategy=Strategy.BEST_RATE,
            draw=18,
            tier=2,
            order=("alpha",),
            candidates=(replace(chosen, quote=judged),),
            consensus=replace(consensus, excluded={}, confined={"beta": "quarantined"}),
        ),
        CallStarted(key="5e" * 16, deadline_at_us=1_700_000_005_000_000, amount_due=Decimal("0.0979"), **_CALL),
        CallSucceeded(started_seq=5, latency_us=812_345, quote=quote, amount_out=Decimal("0.0978"), **_CALL),
        QuarantineSet(
            provider="beta",
            pair="ETH/BTC",
            until_us=1_700_001_800_000_000,
            evidence=("rate_outlier: quoted 0.07, reference 0.06548",),
            reason="5 quotes in a row were not to be trusted",
        ),
        QuarantineReleased(provider="beta", pair="ETH/BTC", **_OPERATOR),
    ]


def _rental_examples(chosen: Candidate) -> list[Fact]:
    """What there is where something is given that may have to be taken back."""
    accepted: dict[str, Any] = {"request_id": _REQUEST, "deadline_at_us": 1_700_000_030_000_000, "country": "us"}
    bound: dict[str, Any] = {"only": "alpha", "undoes": "r-1", "rental_id": "ext-9", **accepted}
    offers: dict[str, Any] = {
        "us": {"wa": (120, Decimal("0.42")), "tg": (None, Decimal("0.10"))},
        "de": {"wa": (0, None)},
    }
    return [
        RequestAccepted(
            operation="rent", effect=Effect.ONCE, undone_by="cancel", max_price=Decimal("0.50"), **accepted
        ),
        RequestAccepted(operation="cancel", effect=Effect.IDEMPOTENT, **bound),
        AlertCleared(alert="late_success", subject=_REQUEST, message="alpha has undone it: cancel of reference ext-9"),
        SyncRequested(provider="alpha", **_OPERATOR),
        NoteAdded(provider="alpha", text="throttles on Mondays ☎", actor="ann"),
        SubjectForgotten(subject="5e" * 16, values=3, **_OPERATOR),
        CommandRefused(command_id=7, message="no drill is running", actor="ann"),
        RequestAccepted(operation="rent", effect=Effect.READ, subject="5e" * 16, **accepted),
        OffersListed(provider="alpha", offers=offers),
        *_drills(),
        SegmentArchived(
            first_seq=1,
            last_seq=1_600,
            first_at_us=1_700_000_000_000_000,
            last_at_us=1_700_000_120_000_000,
            previous_chain="a1" * 32,
            chain="b2" * 32,
            folder="calls.db.archive",
            file="calls.db-000000000001-000000001600.parquet",
            size=92_539,
            sha256="c3" * 32,
            fold_version=7,
            base_sha256="d4" * 32,
            kept_requests=(_REQUEST,),
            kept_calls=(1_597,),
            **_OPERATOR,
        ),
        DecisionMade(
            request_id=_REQUEST,
            provider="alpha",
            strategy=Strategy.CHEAPEST,
            draw=17,
            tier=2,
            order=("alpha",),
            candidates=(replace(chosen, stock_age_us=90_000_000, price=Decimal("0.42"), price_age_us=1_000),),
        ),
    ]


def _by_kind(examples: Sequence[Fact]) -> dict[str, list[Fact]]:
    found: dict[str, list[Fact]] = {}
    for event in examples:
        found.setdefault(event.kind, []).append(event)
    return found


EXAMPLES: Final[Mapping[str, Sequence[Fact]]] = _by_kind(_examples())
"""Events of each kind, all its fields filled: what the golden rows were written from."""
