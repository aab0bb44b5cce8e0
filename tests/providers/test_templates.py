"""Templates: what is filled in comes out again, and what cannot be filled is said before anything is sent."""

import json
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import hypothesis
import hypothesis.strategies as st
import pytest
from described_for_tests import bought, described, request, serving
from described_for_tests import json as said
from http_for_tests import error_of

from understudy.adapters.providers.http_request import compose
from understudy.adapters.providers.http_templates import Values, pieces
from understudy.engine import Rejected

proper = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def values(amount: Decimal | None = None, body: Any = None, **context: str) -> Values:
    return values_of(context, amount=amount, body=body)


def values_of(context: dict[str, str], *, amount: Decimal | None = None, body: Any = None) -> Values:
    asked = request(context=context, amount=amount, body=body)
    return Values("buy", request=asked, key="k-1", secrets={"K": "sesame"})


@hypothesis.given(proper.filter(lambda value: value not in {"", ".", ".."}), proper)
def test_what_a_url_is_filled_with_is_what_is_decoded_from_it(part: str, parameter: str) -> None:
    filled = values(part=part, parameter=parameter)
    path, query = filled.path("/a/{part}/b"), filled.texts({"q": "x{parameter}", "fixed": "1"})
    url = urlsplit(compose("GET", "http://shop.example" + path, headers={}, params=query).url)
    assert [unquote(one) for one in url.path.split("/")] == ["", "a", part, "b"]
    assert dict(parse_qsl(url.query, keep_blank_values=True)) == {"q": f"x{parameter}", "fixed": "1"}
    assert (url.netloc, url.fragment) == ("shop.example", "")


@hypothesis.given(proper, st.text(alphabet="{}ab?:.", max_size=12))
def test_braces_are_braces_when_they_are_doubled(value: str, text: str) -> None:
    doubled = text.replace("{", "{{").replace("}", "}}")
    assert values(x=value).text(doubled + "{x}" + doubled) == text + value + text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | proper,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(proper, inner, max_size=3),
    max_leaves=8,
)


@hypothesis.given(json_values.filter(lambda value: value is not None), proper)
def test_a_json_body_is_what_it_was_filled_with(body: Any, value: str) -> None:
    content = {"whole": "{body}", "deep": [{"text": "<{x}>", "as it is": [None, 1, True]}]}
    sent = json.loads(values(body=body, x=value).json(content))
    assert sent == {"whole": body, "deep": [{"text": f"<{value}>", "as it is": [None, 1, True]}]}


@hypothesis.given(st.decimals(allow_nan=False, allow_infinity=False, places=8))
def test_an_amount_is_exact_as_text_and_as_a_number(amount: Decimal) -> None:
    filled = values(amount=amount).json({"text": "{amount}", "number": "{amount:number}"})
    sent = json.loads(filled, parse_float=Decimal, parse_int=Decimal)
    assert isinstance(sent["text"], str)
    assert Decimal(sent["text"]) == sent["number"] == amount
    assert b"E" not in filled


def test_what_may_be_lacking_is_left_out() -> None:
    filled = values()
    assert filled.texts({"a": "{x?}", "b": "{amount?}", "c": "{context.y?}", "d": "1"}) == {"d": "1"}
    assert json.loads(filled.json({"a": "{x?}", "b": ["{body?}", 1], "c": {"d": "<{x?}>"}})) == {"b": [1], "c": {}}


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{operation}", "buy"),
        ("{request_id}", "r-1"),
        ("{key}", "k-1"),
        ("{context.key}", "of the context"),
        ("{secret.K}!", "sesame!"),
        ("{body.items.1.n}", "7"),
        ("{body.ok}", "true"),
        ("{body.share}", "0.5"),
        ("{a.b}", "dotted"),
    ],
)
def test_each_name_stands_for_its_value(template: str, value: str) -> None:
    said_so = {"key": "of the context", "a.b": "dotted"}
    body = {"items": [{}, {"n": 7}], "ok": True, "share": 0.5}
    assert values_of(said_so, body=body).text(template) == value


BAD: list[tuple[dict[str, Any], str]] = [
    ({"path": "/{country}"}, "buy needs 'country', which the request lacks"),
    ({"query": {"a": "{amount}"}}, "buy needs 'amount', which the request lacks"),
    ({"headers": {"X-A": "{who}"}}, "buy needs 'who', which the request lacks"),
    ({"headers": {"X-A": "{lines}"}}, "header 'X-A' must be text on one line"),
    ({"form": {"a": "{body.items}"}}, "buy needs 'body.items' as text, and it is a list or an object"),
    ({"body": [{"a": {"b": "{body.nothing}"}}]}, "buy needs 'body.nothing', which the request lacks"),
    ({"body": {"n": "{word:number}"}}, "buy needs 'word' as a number, and it is none"),
    ({"path": "/{empty}/x"}, "buy has an empty value where its path needs one"),
    ({"path": "/{dots}/x"}, "buy would be sent to another path"),
    ({"path": "/{dot}{dot}"}, "buy would be sent to another path"),
    ({"reply": {"cost": "{country}.price"}}, "buy needs 'country', which the request lacks"),
]


@pytest.mark.parametrize(("buy", "what"), BAD)
async def test_what_cannot_be_filled_is_rejected_and_nothing_is_sent(buy: dict[str, Any], what: str) -> None:
    context = {"lines": "a\r\nX-B: c", "word": "much", "empty": "", "dots": "..", "dot": "."}
    async with serving(lambda _: said("{}")) as api, described(api.url, buy=buy) as shop:
        error = await error_of(bought(shop, request(context=context, body={"items": [1]})))
    assert (type(error), api.asked) == (Rejected, [])
    assert error.message.startswith(what)
    assert error.message.endswith("; nothing was sent")


@pytest.mark.parametrize("text", ["{", "a}", "{a", "{}", "{a b}", "{a:text}", "{{{a"])
def test_a_template_that_is_none_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"at character \d") as caught:
        pieces("sesame" + text)
    assert "sesame" not in str(caught.value)
