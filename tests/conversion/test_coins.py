"""Which coins there are, what an amount of one is, and what is exchanged for what."""

from decimal import Decimal, localcontext

import hypothesis
import pytest
from hypothesis import strategies as st

from understudy.adapters.conversion import COINS, CoinKind, checked_amount, coin, pair
from understudy.engine import InvalidRequest


@pytest.mark.parametrize("ticker", ["BTC", "btc", "Btc"])
def test_a_coin_is_known_by_its_ticker_in_whatever_case(ticker: str) -> None:
    assert coin(ticker).name == "Bitcoin"
    assert coin(coin(ticker)) is coin("BTC")


def test_a_coin_that_has_changed_its_name_is_known_by_the_old_one() -> None:
    assert coin("matic") is coin("POL")


@pytest.mark.parametrize(
    ("ticker", "said"),
    [
        ("BTCC", "coin 'BTCC' is unknown; did you mean 'BTC'?"),
        ("usdd", "coin 'usdd' is unknown; did you mean 'USD"),
        ("", "known are BTC, LTC, DOGE"),
        ("?" * 10_000, r"coin '\?{40}…' is unknown; known are"),
        (None, "named by its ticker, a text such as 'BTC', not by NoneType"),
    ],
)
def test_an_unknown_coin_is_refused_with_the_nearest(ticker: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        coin(ticker)


def test_money_of_states_is_quoted_and_not_paid_out() -> None:
    assert {one.ticker for one in COINS.values() if one.kind is CoinKind.FIAT} == {"USD", "EUR", "GBP", "CHF"}
    assert coin("EUR").default_network is None
    assert coin("USDT").kind is CoinKind.CRYPTO


def test_a_pair_is_named_by_what_is_given_and_what_is_got() -> None:
    assert pair("eth", coin("BTC")) == "ETH/BTC"
    assert pair("matic", "usd") == "POL/USD"


@pytest.mark.parametrize(("given", "got", "both"), [("BTC", "btc", "BTC"), ("MATIC", "POL", "POL")])
def test_a_coin_is_not_exchanged_for_itself(given: str, got: str, both: str) -> None:
    with pytest.raises(InvalidRequest, match=f"a conversion takes two coins; both are {both}"):
        pair(given, got)


@pytest.mark.parametrize(
    ("value", "of", "exact"),
    [
        ("1.5", "BTC", "1.5"),
        ("1.50", "BTC", "1.5"),
        ("007", "BTC", "7"),
        (100, "BTC", "100"),
        (Decimal("1E+2"), "BTC", "100"),
        (Decimal("1e-8"), "BTC", "0.00000001"),
        ("0.10000000000000000000", "USD", "0.1"),
        ("123456789012345678.123456789012345678", "ETH", "123456789012345678.123456789012345678"),
        ("0.000001", "USDT", "0.000001"),
    ],
)
def test_an_amount_is_taken_exactly(value: str | int | Decimal, of: str, exact: str) -> None:
    assert f"{checked_amount(value, of):f}" == exact


@pytest.mark.parametrize(
    ("value", "of", "said"),
    [
        (1.5, "BTC", r'a float is no exact amount of BTC; pass Decimal\("1.5"\)'),
        (True, "BTC", "a text, an int or a Decimal, not bool"),
        (None, "BTC", "a text, an int or a Decimal, not NoneType"),
        (0, "BTC", "must be greater than 0, not '0'"),
        ("0.00", "BTC", "must be greater than 0"),
        (Decimal("-0"), "BTC", "must be greater than 0"),
        ("-1", "BTC", "must be greater than 0, not '-1'"),
        (Decimal("NaN"), "BTC", "must be finite, not NaN"),
        (Decimal("sNaN"), "BTC", "must be finite, not sNaN"),
        (Decimal("Infinity"), "BTC", "must be finite, not Infinity"),
        ("inf", "BTC", "'inf' is no amount"),
        ("1e5", "BTC", "'1e5' is no amount; write digits with a point, such as '1.5'"),
        ("1,5", "BTC", "'1,5' is no amount"),
        ("1_000", "BTC", "'1_000' is no amount"),
        (" 1", "BTC", "' 1' is no amount"),
        ("1\n", "BTC", "is no amount"),
        ("\u0661", "BTC", "is no amount"),
        ("", "BTC", "'' is no amount"),
        ("9" * 10_000, "BTC", "'9{40}…' is no amount"),
        ("0.123456789", "BTC", "BTC has at most 8 decimals; '0.123456789' has 9"),
        ("0.001", "EUR", "EUR has at most 2 decimals; '0.001' has 3"),
        ("1.0000001", "USDT", "USDT has at most 6 decimals; '1.0000001' has 7"),
        ("0.0000000000000000001", "ETH", "ETH has at most 18 decimals; '0.0000000000000000001' has 19"),
        (Decimal("1E-999999"), "BTC", "BTC has at most 8 decimals"),
        (Decimal("1E+999999"), "BTC", "must be less than 1,000,000,000,000,000,000"),
        (10**18, "DOGE", "must be less than 1,000,000,000,000,000,000"),
        (10**4000, "DOGE", "must be less than 1,000,000,000,000,000,000"),
    ],
)
def test_what_is_no_amount_of_the_coin_is_refused(value: Decimal, of: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        checked_amount(value, of)


@hypothesis.given(st.integers(1, 10**36 - 1), st.sampled_from(sorted(COINS)))
def test_every_number_of_smallest_units_is_an_amount_whatever_the_context_rounds_to(units: int, ticker: str) -> None:
    decimals = coin(ticker).decimals
    hypothesis.assume(units < 10 ** (18 + decimals))
    value = Decimal((0, tuple(map(int, str(units))), -decimals))
    with localcontext(prec=3):
        taken = checked_amount(value, ticker)
    assert taken.as_integer_ratio() == value.as_integer_ratio()
    assert checked_amount(f"{value:f}", ticker) == taken
