"""Which answers are failures, of which kind, by the rules of a description."""

import json as plain_json
from typing import Any

import pytest
from described_for_tests import bought, described, json, request, serving
from http_for_tests import error_of, http, listening, saying

from understudy.engine import (
    Ambiguous,
    Effect,
    InsufficientFunds,
    InvalidReply,
    Misconfigured,
    NotOffered,
    OutOfStock,
    ProviderError,
    RateLimited,
    Rejected,
    TimedOut,
    Transient,
)

KRAKEN: dict[str, Any] = {
    "buy": {"reply": {"value": "result", "reference": "result.txid.0"}},
    "rules": [
        {"field": "error.0", "pattern": "Rate limit exceeded|Too many requests", "kind": "rate_limited", "pause_ms": 9},
        {"field": "error.0", "pattern": "^EOrder:Insufficient funds", "kind": "insufficient_funds"},
        {"field": "error.0", "pattern": "^EService:(?P<code>.*)$", "kind": "transient"},
        {"field": "error.0", "kind": "ambiguous", "code": "error.0"},
    ],
}


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        ("EAPI:Rate limit exceeded", RateLimited, "Rate limit exceeded"),
        ("EOrder:Insufficient funds", InsufficientFunds, "EOrder:Insufficient funds"),
        ("EService:Deadline elapsed", Transient, "Deadline elapsed"),
        ("EGeneral:Internal error", Ambiguous, "EGeneral:Internal error"),
    ],
)
async def test_an_array_of_errors_in_a_200_is_read(error: str, kind: type[ProviderError], code: str) -> None:
    answer = json(plain_json.dumps({"error": [error], "result": {}}))
    async with serving(lambda _: answer) as api, described(api.url, **KRAKEN) as shop:
        failure = await error_of(bought(shop))
    assert (type(failure), failure.code) == (kind, code)
    assert failure.retry_after_ms == (9 if kind is RateLimited else None)


async def test_an_empty_array_of_errors_is_none_and_the_order_counts() -> None:
    answer = json('{"error":[],"result":{"txid":["OABCDE-12345"]}}')
    async with serving(lambda _: answer) as api, described(api.url, **KRAKEN) as shop:
        reply = await bought(shop)
    assert (reply.value, reply.reference) == ({"txid": ["OABCDE-12345"]}, "OABCDE-12345")


KINDS: list[tuple[str, type[ProviderError]]] = [
    (kind.kind.value, kind)
    for kind in (
        Transient,
        TimedOut,
        Ambiguous,
        InvalidReply,
        RateLimited,
        OutOfStock,
        NotOffered,
        InsufficientFunds,
        Misconfigured,
        Rejected,
    )
]


@pytest.mark.parametrize("status", [200, 400, 503])
@pytest.mark.parametrize(("kind", "error"), KINDS)
async def test_a_rule_may_name_every_kind_of_failure(status: int, kind: str, error: type[ProviderError]) -> None:
    rule = {"status": ["4xx", 200, 503], "field": "ok", "equals": False, "kind": kind, "message": "why.text"}
    answer = json('{"ok":false,"why":{"text":"so it is"}}', status)
    async with serving(lambda _: answer) as api, described(api.url, rules=[rule]) as shop:
        failure = await error_of(bought(shop))
        read = await error_of(bought(shop, request(Effect.READ)))
    assert (type(failure), failure.code) == (error, "false")
    assert failure.message.endswith("so it is")
    assert type(read) is (Transient if error is Ambiguous else error)


async def test_the_first_rule_that_holds_counts_and_an_operations_own_come_first() -> None:
    whole = {"status": 409, "kind": "rejected"}
    own = [
        {"status": 409, "missing": True, "field": "hint", "kind": "out_of_stock"},
        {"status": 409, "kind": "transient"},
    ]
    answers = ['{"hint":""}', '{"hint":"x"}']
    async with (
        serving(lambda _: json(answers.pop(0), 409)) as api,
        described(api.url, rules=[whole], buy={"rules": own}) as shop,
    ):
        kinds = [type(await error_of(bought(shop))) for _ in range(2)]
    assert kinds == [OutOfStock, Transient]


@pytest.mark.parametrize(
    ("rule", "headers", "pause_ms"),
    [
        ({}, {}, None),
        ({"pause_ms": 700}, {}, 700),
        ({"pause_ms": 700}, {"Retry-After": "3"}, 3_000),
        ({"pause_ms": 700, "retry_after": "wait"}, {"Retry-After": "3"}, 1_500),
        ({"retry_after": "gone"}, {"Retry-After": "3"}, 3_000),
    ],
)
async def test_a_time_to_stay_away_is_taken_from_the_answer_its_headers_or_the_rule(
    rule: dict[str, Any], headers: dict[str, str], pause_ms: int | None
) -> None:
    rules = [{"status": 418, "kind": "rate_limited", **rule}]
    answer = json('{"wait":1.5}', 418, **headers)
    async with serving(lambda _: answer) as api, described(api.url, rules=rules) as shop:
        error = await error_of(bought(shop))
    assert (type(error), error.retry_after_ms) == (RateLimited, pause_ms)


@pytest.mark.parametrize("effect", list(Effect))
async def test_what_was_not_sent_and_what_may_have_been_executed_are_told_apart(effect: Effect) -> None:
    async with listening(saying(b"")) as heard, described(heard.url) as shop:  # Hangs up without an answer.
        after = await error_of(bought(shop, request(effect)))
    async with described(heard.url) as shop:  # Where nobody listens any more.
        before = await error_of(bought(shop, request(effect)))
    assert (type(before), before.network) == (Transient, True)
    assert "nothing was sent" in before.message
    assert (type(after), after.network) == (Transient if effect is Effect.READ else Ambiguous, True)


async def test_a_rule_that_names_a_status_does_not_make_a_broken_answer_an_answer() -> None:
    rules = [{"status": 200, "kind": "transient"}]
    async with listening(saying(http()[:-3])) as heard, described(heard.url, rules=rules) as shop:
        error = await error_of(bought(shop))
    assert type(error) is InvalidReply


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ({"reference": "data.id"}, '{"data":{}}'),
        ({"reference": "data.id"}, '{"data":{"id":null}}'),
        ({"reference": "data.id"}, '{"data":{"id":{"a":1}}}'),
        ({"reference": "data.*.id"}, '{"data":[{"id":1},{"id":2}]}'),
        ({"cost": "price"}, '{"price":"much"}'),
        ({"cost": "price"}, '{"price":true}'),
        ({"cost": "price"}, '{"price":"NaN"}'),
        ({"stock": "left"}, '{"left":-1}'),
        ({"stock": "left"}, '{"left":1.5}'),
        ({"value": {"a": "one", "b": "two"}}, '{"one":1}'),
        ({"value": "list.2"}, '{"list":[1,2]}'),
        ({"value": "a.b"}, "[]"),
        ({}, "not json"),
    ],
)
async def test_an_answer_without_what_is_described_is_an_invalid_reply(reply: dict[str, Any], answer: str) -> None:
    async with serving(lambda _: json(answer)) as api, described(api.url, buy={"reply": reply}) as shop:
        error = await error_of(bought(shop))
    assert type(error) is InvalidReply
    assert error.message.startswith("POST /buy: ")
