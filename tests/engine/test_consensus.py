"""Whose quotes are honest, as laws: what one liar cannot do, and what must make no difference."""

from collections.abc import Mapping, Sequence
from decimal import Context, Decimal, localcontext

from hypothesis import given
from hypothesis import strategies as st

from understudy.engine.consensus import Judgement, judge, net_of
from understudy.engine.request_state import TakenQuote
from understudy.events.exact import EXACT
from understudy.events.policy import Fees, Policy, ProviderSettings
from understudy.events.quotes import Consensus, Quote
from understudy.events.requests import RequestAccepted
from understudy.events.vocabulary import Effect
from understudy.projections.lanes import Lanes
from understudy.projections.quote_book import Offer, QuoteBook
from understudy.projections.standing import Standing

NOW_US = 1_700_000_000_000_000
PAIR = "BTC/USD"
NAMES = ("alpha", "beta", "gamma", "delta", "echo")
LIMIT = Decimal("0.02")
MINUTE_US = 60_000_000

rates = st.decimals("0.0001", 100_000, places=8)
steps = st.decimals("-0.004", "0.004", places=5)
"""How far an honest quote is from the market: any two of them are within half a limit."""
lies = st.decimals("0.05", 9, places=3) | st.decimals("-0.95", "-0.05", places=3)
percents = st.decimals(0, 100, places=3)


def settings(**more: object) -> Policy:
    providers = tuple(ProviderSettings(id=name, has_quote=True) for name in NAMES)
    return Policy.model_validate({"providers": providers, "max_rate_difference": LIMIT, **more})


def judged(
    quotes: Mapping[str, Decimal],
    *,
    history: Sequence[Decimal] = (),
    unchanged_us: Mapping[str, int] | None = None,
    confined: Sequence[str] = (),
    **more: object,
) -> tuple[Consensus, Mapping[str, Judgement]]:
    """What is said of quotes that came in just now; those named have been the same for so long, or are confined."""
    policy = settings(**more)
    since_us = unchanged_us or {}
    book = QuoteBook(
        offers={
            f"{name}|{PAIR}": Offer(rate=rate, since_us=NOW_US - since_us.get(name, 0), at_us=NOW_US)
            for name, rate in quotes.items()
        },
        quarantines=dict.fromkeys([f"{name}|{PAIR}" for name in confined], NOW_US + MINUTE_US),
        agreed={PAIR: tuple((NOW_US - MINUTE_US, rate) for rate in history)},
    )
    accepted = RequestAccepted(
        request_id="r", operation="convert", effect=Effect.ONCE, deadline_at_us=NOW_US, pair=PAIR, amount=Decimal(1)
    )
    taken = [TakenQuote(name, NOW_US, Quote(rate=rate), NOW_US + MINUTE_US) for name, rate in quotes.items()]
    standing = Standing(policy=policy, lanes=Lanes(policy), quotes=book)
    return judge(standing, accepted, taken, now_us=NOW_US)


def verdicts(found: tuple[Consensus, Mapping[str, Judgement]]) -> dict[str, str | None]:
    return {name: one.verdict for name, one in found[1].items()}


def near(market: Decimal, step: Decimal) -> Decimal:
    return EXACT.multiply(market, EXACT.add(Decimal(1), step))


@st.composite
def rounds(draw: st.DrawFn, *, least: int = 1) -> dict[str, Decimal]:
    """Quotes around a market, some of them lies."""
    market = draw(rates)
    count = draw(st.integers(least, len(NAMES)))
    return {name: near(market, draw(steps | lies)) for name in NAMES[:count]}


@st.composite
def histories(draw: st.DrawFn, quotes: Mapping[str, Decimal]) -> list[Decimal]:
    """What had been agreed before, near one of the quotes; perhaps nothing."""
    around = draw(st.sampled_from(sorted(quotes.values())))
    return [near(around, one) for one in draw(st.lists(steps, max_size=3))]


@given(market=rates, honest=st.lists(steps, min_size=2, max_size=4), lie=lies, place=st.integers(0, 4))
def test_one_liar_among_honest_ones_is_told_and_moves_the_agreed_rate_nowhere_beyond_theirs(
    market: Decimal, honest: list[Decimal], lie: Decimal, place: int
) -> None:
    true = [near(market, one) for one in honest]
    everybody = [*true]
    place = min(place, len(true))
    everybody.insert(place, near(market, lie))
    liar = NAMES[place]
    # Two against one need nobody else; where their number is even, what was agreed before has its vote.
    history = [market] if len(everybody) % 2 == 0 else []
    consensus, found = judged(dict(zip(NAMES, everybody, strict=False)), history=history)
    assert found[liar].verdict == "rate_outlier"
    assert liar not in consensus.honest
    assert len(consensus.honest) == len(true)
    assert consensus.agreed is not None
    assert min(true) <= consensus.agreed <= max(true)


@given(market=rates, lie=lies)
def test_of_two_against_two_what_was_agreed_before_tells_who_lies(market: Decimal, lie: Decimal) -> None:
    liars = near(market, lie)
    split = {"alpha": market, "beta": liars, "gamma": market, "delta": liars}
    told = verdicts(judged(split, history=[market]))
    assert told == {"alpha": None, "beta": "rate_outlier", "gamma": None, "delta": "rate_outlier"}
    assert set(verdicts(judged(split)).values()) == {"nothing_to_compare"}


@given(data=st.data(), factor=st.decimals("0.001", 1_000, places=4))
def test_another_unit_changes_no_verdict(data: st.DataObject, factor: Decimal) -> None:
    quotes = data.draw(rounds())
    history = data.draw(histories(quotes))
    unchanged = {name: data.draw(st.sampled_from([0, 10 * MINUTE_US])) for name in quotes}
    scaled = {name: EXACT.multiply(rate, factor) for name, rate in quotes.items()}
    past = [EXACT.multiply(rate, factor) for rate in history]
    before = judged(quotes, history=history, unchanged_us=unchanged)
    assert verdicts(before) == verdicts(judged(scaled, history=past, unchanged_us=unchanged))


@given(data=st.data())
def test_the_order_in_which_quotes_come_changes_no_verdict(data: st.DataObject) -> None:
    quotes = data.draw(rounds(least=2))
    history = data.draw(histories(quotes))
    unchanged = {name: data.draw(st.sampled_from([0, 10 * MINUTE_US])) for name in quotes}
    shuffled = {name: quotes[name] for name in data.draw(st.permutations(sorted(quotes)))}
    one, other = (judged(them, history=history, unchanged_us=unchanged) for them in (quotes, shuffled))
    assert verdicts(one) == verdicts(other)
    assert (one[0].reference, one[0].agreed) == (other[0].reference, other[0].agreed)


@given(rate=rates)
def test_a_quote_alone_without_history_is_honest_only_where_that_is_trusted(rate: Decimal) -> None:
    assert verdicts(judged({"alpha": rate})) == {"alpha": "nothing_to_compare"}
    assert verdicts(judged({"alpha": rate}, trust_lone_quote=True)) == {"alpha": None}


@given(quotes=rounds(), history=st.lists(rates, max_size=3))
def test_every_honest_quote_is_within_bounds_of_the_reference(
    quotes: dict[str, Decimal], history: list[Decimal]
) -> None:
    consensus, _ = judged(quotes, history=history)
    assert consensus.honest == tuple(name for name in quotes if name not in consensus.excluded)
    for name in consensus.honest:
        assert consensus.reference is not None
        assert abs(EXACT.divide(EXACT.subtract(quotes[name], consensus.reference), consensus.reference)) <= LIMIT


@given(data=st.data(), confined=st.sets(st.sampled_from(NAMES), min_size=1), lone=st.booleans())
def test_whoever_is_in_quarantine_has_no_say_in_what_others_quotes_are_worth(
    data: st.DataObject, confined: set[str], lone: bool
) -> None:
    quotes = data.draw(rounds())
    history = data.draw(histories(quotes))
    unchanged_us = data.draw(st.dictionaries(st.sampled_from(NAMES), st.integers(0, 9).map(MINUTE_US.__mul__)))
    heard = judged(quotes, history=history, unchanged_us=unchanged_us, confined=sorted(confined), trust_lone_quote=lone)
    others = {name: rate for name, rate in quotes.items() if name not in confined}
    alone = judged(others, history=history, unchanged_us=unchanged_us, trust_lone_quote=lone)
    assert heard[0].agreed == alone[0].agreed
    assert (heard[0].basis, heard[0].reference) == (alone[0].basis, alone[0].reference)
    assert (heard[0].honest, heard[0].excluded) == (alone[0].honest, alone[0].excluded)
    assert heard[0].confined == ({name: verdicts(heard)[name] for name in quotes if name in confined} or None)


@given(market=rates, off=st.decimals("0.0051", "0.0199", places=4), down=st.booleans())
def test_what_has_not_changed_for_long_is_stuck_only_where_it_is_away_from_the_others(
    market: Decimal, off: Decimal, *, down: bool
) -> None:
    away = near(market, -off if down else off)
    ten_minutes = {"alpha": 10 * MINUTE_US}
    apart = {"alpha": away, "beta": market, "gamma": market}
    assert verdicts(judged(apart, unchanged_us=ten_minutes))["alpha"] == "quote_stuck"
    assert verdicts(judged(apart))["alpha"] is None
    together = dict.fromkeys(apart, market)
    assert verdicts(judged(together, unchanged_us=ten_minutes))["alpha"] is None


@given(market=rates, off=st.decimals("0.0051", "0.0199", places=4), older=st.integers(3, 60), newer=st.integers(0, 59))
def test_of_two_that_stand_still_apart_only_the_older_is_stuck(
    market: Decimal, off: Decimal, older: int, newer: int
) -> None:
    apart = {"alpha": near(market, off), "beta": market}
    minutes = {"alpha": max(older, newer) * MINUTE_US, "beta": min(older, newer) * MINUTE_US}
    told = verdicts(judged(apart, history=[market], unchanged_us=minutes))
    assert told == {"alpha": None if older == newer else "quote_stuck", "beta": None}


@given(market=rates, lie=lies, count=st.integers(2, 4), known=st.booleans())
def test_a_liar_makes_nobody_stuck_who_is_quiet_and_true(
    market: Decimal, lie: Decimal, count: int, *, known: bool
) -> None:
    quiet = dict.fromkeys(NAMES[: count - 1], market)
    everybody = {**quiet, NAMES[count - 1]: near(market, lie)}
    # Of two, it takes what was agreed before to tell which one lies.
    history = [market] if known or count % 2 == 0 else []
    told = verdicts(judged(everybody, history=history, unchanged_us=dict.fromkeys(quiet, 10 * MINUTE_US)))
    assert told == {**dict.fromkeys(quiet), NAMES[count - 1]: "rate_outlier"}


@given(
    rate=rates,
    amount=st.decimals("0.00000001", 1_000_000, places=8),
    fees=st.builds(
        Fees,
        percent=percents,
        spread=percents,
        flat=st.decimals(0, 1_000, places=8),
        withdrawal=st.dictionaries(st.sampled_from(["USD", "EUR"]), st.decimals(0, 1_000, places=8)),
    ),
)
def test_fees_never_pay_out_more_than_the_rate_makes_of_the_amount(rate: Decimal, amount: Decimal, fees: Fees) -> None:
    net = net_of(Quote(rate=rate), fees, amount=amount, coin="USD")
    assert net <= EXACT.multiply(amount, rate)
    without = net_of(Quote(rate=rate), Fees(), amount=amount, coin="USD")
    assert without == EXACT.multiply(amount, rate)


@given(data=st.data(), digits=st.integers(1, 12))
def test_the_decimal_context_of_the_thread_makes_no_difference(data: st.DataObject, digits: int) -> None:
    quotes = data.draw(rounds())
    history = data.draw(histories(quotes))
    unchanged = dict.fromkeys(quotes, 10 * MINUTE_US)
    usual = judged(quotes, history=history, unchanged_us=unchanged)
    with localcontext(Context(prec=digits, traps=[])):
        assert judged(quotes, history=history, unchanged_us=unchanged) == usual
