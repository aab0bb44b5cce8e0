"""The flip point of a decision: what would have had to be different for another candidate to come first."""

from collections.abc import Callable
from decimal import Decimal

from understudy.engine.assess import SUCCESS_RATE
from understudy.engine.eligibility import ALREADY_TRIED, is_eligible
from understudy.events.decisions import Candidate, DecisionMade
from understudy.events.policy import Policy
from understudy.events.vocabulary import Strategy
from understudy.replay.decision_table import points, short
from understudy.replay.story import ms

_FULL_RATE = 100_000
"""A success rate of 100 %, in thousandths of a point."""
_FIRST_OF_EQUALS = "comes before it in the configured order"


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
    if _is_behind_as_degraded(one, winner, decision):
        return f"was degraded, and {winner.provider} was not: the healthy go first"
    if decision.consensus is not None:
        return _by_quotes(one, winner, decision, policy)
    match decision.strategy:
        case Strategy.SCORE | Strategy.BEST_RATE:
            return _by_rate(one, winner, decision, policy)
        case Strategy.FASTEST:
            had, least = one.expected_us or 0, winner.expected_us or 0
            return _by_less(one, winner, decision, had=had, least=least, told=_expected)
        case Strategy.LEAST_USED:
            had, least = one.used_60s or 0, winner.used_60s or 0
            return _by_less(one, winner, decision, had=had, least=least, told=_calls)
        case Strategy.WEIGHTED:
            chance = Decimal(one.propensity_ppm) / 10_000
            return (
                f"lost the draw, with a chance of {chance:.1f} %"
                if chance
                else "is never drawn here: its weight is 0, or healthier ones go first"
            )
        case Strategy.ROUND_ROBIN:
            return "it was not its turn"
        case Strategy.CHEAPEST:
            return f"its usual price is no lower than that of {winner.provider}"
        case Strategy.IN_ORDER:
            return f"{winner.provider} {_FIRST_OF_EQUALS}"


def _by_quotes(one: Candidate, winner: Candidate, decision: DecisionMade, policy: Policy) -> str:
    """Of two honest quotes: what the other would have had to pay out, as far as that was what counted."""
    if one.quote is None or winner.quote is None:
        return f"{winner.provider} had an honest quote"
    if policy.always_use_best_rate or decision.strategy is Strategy.BEST_RATE:
        faded = " (less what each has paid out short of its quotes of late)" if _fades(one) or _fades(winner) else ""
        return f"pays out {short(one.quote.net)}; it would have won with more than {short(winner.quote.net)}{faded}"
    if decision.strategy is Strategy.CHEAPEST:
        return f"{winner.provider} takes less in fees"
    return f"{winner.provider} came before it in the order of asking"


def _fades(one: Candidate) -> bool:
    return one.quote is not None and bool(one.quote.fade_ppm)


def _undrawn(decision: DecisionMade, one: Candidate) -> str:
    if decision.order[1:2] == (one.provider,):
        return "ranked first; another was drawn for exploration this once"
    return "another was drawn for exploration this once"


def _is_behind_as_degraded(one: Candidate, winner: Candidate, decision: DecisionMade) -> bool:
    """Whether that alone kept it from being first, for the strategies that name no figure for it."""
    if one.degraded is None or winner.degraded is not None:
        return False
    if decision.strategy is Strategy.FASTEST:  # It weighs failures itself, but once a try was lost.
        return any(other.verdict == ALREADY_TRIED for other in decision.candidates)
    return decision.strategy in {Strategy.LEAST_USED, Strategy.ROUND_ROBIN}


def _by_less(
    one: Candidate, winner: Candidate, decision: DecisionMade, *, had: int, least: int, told: Callable[[int], str]
) -> str:
    """What would have sufficed where the least comes first, and equals in the configured order."""
    if had == least:
        return f"ties with {winner.provider} at {told(had)}; {winner.provider} {_FIRST_OF_EQUALS}"
    enough = "no more than" if _stands_before(one, winner, decision) else "less than"
    return f"would have won with {enough} {told(least)} (it had {told(had)})"


def _by_rate(one: Candidate, winner: Candidate, decision: DecisionMade, policy: Policy) -> str:
    """The success rate that would have sufficed, everything else being as it was."""
    wins_ties, tie_break = _tie(one, winner, decision, policy)
    needed = one.rate_points + winner.score - one.score + (0 if wins_ties else 1)
    tied = ""
    if one.degraded == winner.degraded and one.score == winner.score:
        tied = f"ties with {winner.provider} at {points(one.score)} points; {winner.provider} {tie_break}"
    if winner.degraded is None and one.degraded == SUCCESS_RATE:
        needed = max(needed, int(policy.min_success_rate * 1000))  # It had to be healthy first.
    if winner.degraded is None and one.degraded not in {None, SUCCESS_RATE}:
        allowed, took = policy.max_response_time_ms, _ms(one.average_us)
        return f"would have had to answer within {allowed} ms on average first (it took {took})"
    if needed > _FULL_RATE:
        behind = Decimal(winner.score - one.score - (_FULL_RATE - one.rate_points)) / 1000
        if behind == 0:
            even = f"ties with {winner.provider} even at a success rate of 100 %"
            return tied or f"{even}; {winner.provider} {tie_break}"
        return f"would have lost at any success rate, by {behind.normalize():f} points at 100 %"
    had = Decimal(one.rate_points // 10) / 100
    enough = f"would have won with a success rate ≥ {_percent(needed)} % (it had {had:f} %)"
    return f"{tied}; it {enough}" if tied else enough


def _tie(one: Candidate, winner: Candidate, decision: DecisionMade, policy: Policy) -> tuple[bool, str]:
    """Whether an equal score would have sufficed, and what decides between equals: price, average response, order."""
    price, its_price = (_known_price(candidate, policy) or Decimal(0) for candidate in (one, winner))
    if price != its_price:
        return price < its_price, f"is cheaper ({_price(winner, policy)} against {_price(one, policy)})"
    average, its_average = one.average_us or 0, winner.average_us or 0
    if average != its_average:
        return average < its_average, f"answers sooner on average ({_average(winner)} against {_average(one)})"
    return _stands_before(one, winner, decision), _FIRST_OF_EQUALS


def _stands_before(one: Candidate, other: Candidate, decision: DecisionMade) -> bool:
    """Whether it is configured before another: equals keep that order."""
    return decision.candidates.index(one) < decision.candidates.index(other)


def _known_price(one: Candidate, policy: Policy) -> Decimal | None:
    """What the decision knew; of one that did not tell prices yet, what the settings said."""
    return policy.prices.get(one.provider) if one.price is None else one.price


def _price(one: Candidate, policy: Policy) -> str:
    price = _known_price(one, policy)
    return "no known price" if price is None else f"{price:f}"


def _average(one: Candidate) -> str:
    return ms(one.average_us) if one.average_us else "unknown"


def _expected(us: int) -> str:
    return f"an expected time of {ms(us)}" if us else "an unknown expected time, which counts as none"


def _calls(count: int) -> str:
    return f"{count} call{'' if count == 1 else 's'} in the last minute"


def _percent(thousandths: int) -> str:
    """Thousandths of a point as a percentage, rounded up to two decimals: what is shown must suffice."""
    hundredths = -(-thousandths // 10)
    return f"{Decimal(hundredths) / 100:.2f}".rstrip("0").rstrip(".")


def _ms(us: int | None) -> str:
    return "0 ms" if us is None else f"{us / 1000:.0f} ms"
