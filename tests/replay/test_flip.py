"""Why this one? Each loser is told what decided, ties included, and what it is told would really have made it win."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from understudy.engine import strategies
from understudy.engine.assess import Assessed
from understudy.events.decisions import Candidate, DecisionMade
from understudy.events.policy import Policy, ProviderSettings
from understudy.events.vocabulary import Effect, Strategy
from understudy.replay.flip import flip_point

MS = 1_000


def policy_of(strategy: Strategy, *, prices: dict[str, str] | None = None) -> Policy:
    settings = [
        ProviderSettings(id=name, price=Decimal(prices[name]) if prices and name in prices else None)
        for name in ("alpha", "beta")
    ]
    return Policy(strategy=strategy, providers=tuple(settings), exploration=Decimal(0))


def candidate(name: str, **seen: Any) -> Candidate:
    """A provider of one tier, with the score that follows from its success rate."""
    rate = seen.pop("success_bp", None)
    points = 100_000 if rate is None else rate * 10
    terms: dict[str, Any] = {"rate_points": points, "speed_points": 10_000, "stock_points": 0, "recency_points": 5_000}
    made = Candidate(provider=name, tier=1, verdict="eligible", score=points + 15_000, success_bp=rate, **terms)
    return replace(made, **seen)


def ranked(policy: Policy, *candidates: Candidate) -> list[str]:
    """The order in which the engine's own rules would ask them."""

    def assessed(one: Candidate) -> Assessed:
        found = Assessed(policy.by_id[one.provider], one.verdict, None)
        found.degraded, found.average_us = one.degraded, one.average_us
        found.rate_points, found.expected_us, found.used_60s = one.rate_points, one.expected_us, one.used_60s
        found.complete()
        return found

    order = strategies.order(
        [assessed(one) for one in candidates],
        policy,
        draw=0,
        effect=Effect.READ,
        last_first=None,
        first_try=True,
    )
    return [one.provider for one in order.ranked]


def decided(policy: Policy, alpha: Candidate, beta: Candidate) -> DecisionMade:
    order = tuple(ranked(policy, alpha, beta))
    return DecisionMade(
        request_id="r",
        provider=order[0],
        strategy=policy.strategy,
        draw=0,
        tier=1,
        order=order,
        candidates=(alpha, beta),
    )


def told(policy: Policy, alpha: Candidate, beta: Candidate) -> str:
    """What is said of the one that lost."""
    decision = decided(policy, alpha, beta)
    loser = beta if decision.provider == "alpha" else alpha
    said = flip_point(decision, loser, policy)
    assert said is not None
    assert flip_point(decision, alpha if loser is beta else beta, policy) is None, "the winner needs no excuse"
    return f"{loser.provider}: {said}"


BY_SCORE = policy_of(Strategy.SCORE)


def test_a_tie_of_scores_is_told_to_end_in_the_configured_order_where_nothing_else_differs() -> None:
    assert told(BY_SCORE, candidate("alpha"), candidate("beta")) == (
        "beta: ties with alpha at 115.0 points; alpha comes before it in the configured order"
    )


def test_a_tie_of_scores_is_told_to_end_by_the_average_response() -> None:
    slow, fast = candidate("alpha", average_us=150 * MS), candidate("beta", average_us=80 * MS)
    assert told(BY_SCORE, slow, fast) == (
        "alpha: ties with beta at 115.0 points; beta answers sooner on average (80 ms against 150 ms)"
    )


def test_a_tie_of_scores_is_told_to_end_by_price_first_of_all() -> None:
    policy = policy_of(Strategy.SCORE, prices={"alpha": "0.05", "beta": "0.02"})
    dear, cheap = candidate("alpha", average_us=80 * MS), candidate("beta", average_us=150 * MS)
    assert told(policy, dear, cheap) == "alpha: ties with beta at 115.0 points; beta is cheaper (0.02 against 0.05)"


def test_an_unknown_price_is_told_to_count_as_the_cheapest() -> None:
    policy = policy_of(Strategy.SCORE, prices={"alpha": "0.05"})
    assert told(policy, candidate("alpha"), candidate("beta")).endswith("beta is cheaper (no known price against 0.05)")


def test_a_tie_below_the_full_rate_is_told_with_the_rate_that_would_have_sufficed() -> None:
    alpha, beta = candidate("alpha", success_bp=9_800), candidate("beta", success_bp=9_800)
    assert told(BY_SCORE, alpha, beta) == (
        "beta: ties with alpha at 113.0 points; alpha comes before it in the configured order;"
        " it would have won with a success rate ≥ 98.01 % (it had 98 %)"
    )


@pytest.mark.parametrize("prices", [None, {"alpha": "0.05", "beta": "0.02"}, {"alpha": "0.02", "beta": "0.05"}])
@pytest.mark.parametrize("averages", [(80, 80), (80, 150), (150, 80)])
@pytest.mark.parametrize("rates", [(9_800, 9_700), (9_700, 9_800), (9_800, 9_800)])
def test_the_rate_that_is_said_to_suffice_suffices_and_nothing_less(
    prices: dict[str, str] | None, averages: tuple[int, int], rates: tuple[int, int]
) -> None:
    policy = policy_of(Strategy.SCORE, prices=prices)
    alpha = candidate("alpha", success_bp=rates[0], average_us=averages[0] * MS)
    beta = candidate("beta", success_bp=rates[1], average_us=averages[1] * MS)
    said = told(policy, alpha, beta)
    loser = alpha if said.startswith("alpha") else beta
    enough = int(Decimal(said.split("≥ ")[1].split(" %")[0]) * 100)

    def winner_at(rate: int) -> str:
        changed = replace(loser, success_bp=rate, rate_points=rate * 10, score=rate * 10 + 15_000)
        return ranked(policy, *(changed if one is loser else one for one in (alpha, beta)))[0]

    assert winner_at(enough) == loser.provider
    assert winner_at(enough - 1) != loser.provider


@pytest.mark.parametrize(
    ("strategy", "figure", "tie"),
    [
        (Strategy.FASTEST, "expected_us", "ties with alpha at an expected time of 80 ms"),
        (Strategy.LEAST_USED, "used_60s", "ties with alpha at 80000 calls in the last minute"),
    ],
)
def test_a_tie_of_other_figures_is_told_to_end_in_the_configured_order(
    strategy: Strategy, figure: str, tie: str
) -> None:
    alpha, beta = candidate("alpha", **{figure: 80_000}), candidate("beta", **{figure: 80_000})
    assert told(policy_of(strategy), alpha, beta) == f"beta: {tie}; alpha comes before it in the configured order"


@pytest.mark.parametrize("strategy", [Strategy.FASTEST, Strategy.LEAST_USED])
def test_the_figure_that_would_have_sufficed_heeds_who_stands_first(strategy: Strategy) -> None:
    few, many = {"expected_us": 1_000, "used_60s": 1_000}, {"expected_us": 9_000, "used_60s": 9_000}
    policy = policy_of(strategy)
    assert "won with less than" in told(policy, candidate("alpha", **few), candidate("beta", **many))
    assert "won with no more than" in told(policy, candidate("alpha", **many), candidate("beta", **few))
    assert ranked(policy, candidate("alpha", **few), candidate("beta", **few))[0] == "alpha"


@pytest.mark.parametrize("strategy", [Strategy.LEAST_USED, Strategy.ROUND_ROBIN])
def test_who_was_put_behind_as_degraded_is_told_so(strategy: Strategy) -> None:
    alpha, beta = candidate("alpha", degraded="success_rate", used_60s=0), candidate("beta", used_60s=9)
    assert told(policy_of(strategy), alpha, beta) == "alpha: was degraded, and beta was not: the healthy go first"
