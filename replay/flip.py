"""The flip point of a decision: what would have had to be different for another candidate to come first."""

from decimal import Decimal

from understudy.engine.assess import SUCCESS_RATE
from understudy.engine.eligibility import ALREADY_TRIED, is_eligible
from understudy.events.decisions import Candidate, DecisionMade
from understudy.events.policy import Policy
from understudy.events.vocabulary import Strategy

_FULL_RATE = 100_000
"""A success rate of 100 %, in thousandths of a point."""


def flip_point(decision: DecisionMade, one: Candidate, policy: Policy) -> str | None:
    """In a sentence, how the candidate would have won; None for the one that did, and for one that was tried before."""
    if one.provider == decision.provider or one.verdict == ALREADY_TRIED or decision.provider is None:
        return None
    winner = next(other for other in decision.candidates if other.provider == decision.provider)
    if not is_eligible(one.verdict):
        return None
    if decision.pinned:
        return f"{winner.provider} was preferred"
    if decision.explored:
        return _undrawn(decision, one)
    if one.tier != winner.tier:
        return f"tier {one.tier} is asked only when nobody above is eligible"
    if winner.verdict == "probe":
        return f"{winner.provider} was due for the one probe of its half-open circuit"
    match decision.strategy:
        case Strategy.SCORE:
            return _by_rate(one, winner, decision, policy)
        case Strategy.FASTEST:
            return (
                f"would have won with an expected time below {_ms(winner.expected_us)} (it had {_ms(one.expected_us)})"
            )
        case Strategy.LEAST_USED:
            return f"would have won with fewer than {winner.used_60s} calls in the last minute (it had {one.used_60s})"
        case Strategy.WEIGHTED:
            chance = Decimal(one.propensity_ppm) / 10_000
            return (
                f"lost the draw, with a chance of {chance:.1f} %"
                if chance
                else "is never drawn here: its weight is 0, or healthier ones go first"
            )
        case Strategy.ROUND_ROBIN:
            return "it was not its turn"
        case Strategy.IN_ORDER:
            return f"{winner.provider} comes before it in the configured order"


def _undrawn(decision: DecisionMade, one: Candidate) -> str:
    if decision.order[1:2] == (one.provider,):
        return "ranked first; another was drawn for exploration this once"
    return "another was drawn for exploration this once"


def _by_rate(one: Candidate, winner: Candidate, decision: DecisionMade, policy: Policy) -> str:
    """The success rate that would have sufficed, everything else being as it was."""
    needed = one.rate_points + winner.score - one.score
    if not _wins_ties(one, winner, decision):
        needed += 1
    if winner.degraded is None and one.degraded == SUCCESS_RATE:
        needed = max(needed, int(policy.min_success_rate * 1000))  # It had to be healthy first.
    if winner.degraded is None and one.degraded not in {None, SUCCESS_RATE}:
        allowed, took = policy.max_response_time_ms, _ms(one.average_us)
        return f"would have had to answer within {allowed} ms on average first (it took {took})"
    if needed > _FULL_RATE:
        behind = Decimal(winner.score - one.score - (_FULL_RATE - one.rate_points)) / 1000
        if behind == 0:
            return f"ties with {winner.provider} even at a success rate of 100 %, and loses the tie"
        return f"would have lost at any success rate, by {behind.normalize():f} points at 100 %"
    had = Decimal(one.rate_points // 10) / 100
    return f"would have won with a success rate ≥ {_percent(needed)} % (it had {had:f} %)"


def _wins_ties(one: Candidate, winner: Candidate, decision: DecisionMade) -> bool:
    """Whether an equal score would have sufficed: ties go by average response, then by configured order."""
    places = {candidate.provider: place for place, candidate in enumerate(decision.candidates)}
    return (one.average_us or 0, places[one.provider]) < (winner.average_us or 0, places[winner.provider])


def _percent(points: int) -> str:
    """Thousandths of a point as a percentage, rounded up to two decimals: what is shown must suffice."""
    hundredths = -(-points // 10)
    return f"{Decimal(hundredths) / 100:.2f}".rstrip("0").rstrip(".")


def _ms(us: int | None) -> str:
    return "0 ms" if us is None else f"{us / 1000:.0f} ms"
