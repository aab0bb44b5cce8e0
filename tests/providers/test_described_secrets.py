"""No secret of a described provider gets into an error, a reply, a repr or the log, however an API repeats it."""

import json as plain_json
import re
import sqlite3
from base64 import b64encode, urlsafe_b64encode
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import hypothesis
import hypothesis.strategies as st
import pytest
from described_for_tests import Asked, Said, bought, described, json, request, serving, text
from http_for_tests import error_of

from understudy.adapters import SqliteLog
from understudy.adapters.providers import DescriptionError, EnvironmentCredentials, GivenCredentials, HttpApi
from understudy.adapters.providers.redaction import Secrets
from understudy.engine import Engine, RequestError

SECRETS = {"TOKEN": 'to"ken/1+2=3&4', "PIN": "p in<7>%ü", "USER": "user-17", "PASSWORD": "pass:word~9"}
PLAN: dict[str, Any] = {
    "secrets": SECRETS,
    "headers": {"X-Token": "{secret.TOKEN}"},
    "basic_auth": {"user": "{secret.USER}", "password": "{secret.PASSWORD}"},
    "buy": {
        "path": "/bot{secret.TOKEN}/buy",
        "query": {"pin": "{secret.PIN}"},
        "body": {"deep": [{"pin": "{secret.PIN}", "both": "{secret.USER}:{secret.TOKEN}"}]},
        "reply": {"reference": "echo.token?"},
    },
}
BASIC = b64encode(f"{SECRETS['USER']}:{SECRETS['PASSWORD']}".encode()).decode()


def forms(secret: str) -> set[str]:
    """How an API may repeat a secret."""
    as_json = {plain_json.dumps(secret)[1:-1], plain_json.dumps(secret, ensure_ascii=False)[1:-1]}
    in_base64 = {b64encode(secret.encode()).decode(), urlsafe_b64encode(secret.encode()).decode()}
    in_urls = {quote(secret), quote(secret, safe=""), quote_plus(secret), _in_small_letters(quote(secret, safe="/+="))}
    return {secret, escape(secret), *as_json, *in_base64, *in_urls}


def _in_small_letters(url: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda escaped: escaped[0].lower(), url)


def shows(text: str) -> list[str]:
    return [form for secret in SECRETS.values() for form in forms(secret) if form in text] + [BASIC] * (BASIC in text)


def everything(asked: Asked) -> str:
    """All of a request, as a server that is too talkative repeats it."""
    headers = "\n".join(f"{name}: {value}" for name, value in asked.headers.items())
    spelt = " ".join(form for secret in SECRETS.values() for form in sorted(forms(secret)))
    return f"{asked.raw_path}\n{asked.path}\n{asked.query}\n{headers}\n{asked.text}\n{BASIC}\n{spelt}"


def in_json(asked: Asked, status: int = 200) -> Said:
    echo = {"all": everything(asked), "token": SECRETS["TOKEN"], SECRETS["PIN"]: [{"x": asked.query["pin"]}]}
    return json(plain_json.dumps({"message": everything(asked), "code": SECRETS["TOKEN"], "echo": echo}), status)


TALKATIVE = {
    "json under a 200": in_json,
    "json under a 400": lambda asked: in_json(asked, 400),
    "json under a 500": lambda asked: in_json(asked, 500),
    "text under a 400": lambda asked: text(everything(asked), 400, "text/plain"),
    "text where json was to come": lambda asked: text(everything(asked), 200, "text/plain"),
    "no json": lambda asked: json(everything(asked)),
    "no reference": lambda asked: json(plain_json.dumps({"all": everything(asked), "echo": {"token": {}}})),
    "a redirect": lambda asked: Said("", 302, "text/plain", {"Location": quote(asked.raw_path)}),
    "a header": lambda asked: Said("", 429, "text/plain", {"Retry-After": quote(asked.headers["X-Token"])}),
}
RULES = [[], [{"status": ["2xx", "4xx", "5xx"], "pattern": "(?s).*", "kind": "rejected", "message": "echo.all"}]]


@pytest.mark.parametrize("rules", RULES, ids=["usual", "by rule"])
@pytest.mark.parametrize("answer", TALKATIVE.values(), ids=TALKATIVE)
async def test_the_log_shows_no_secret_whatever_the_api_repeats(answer: Any, rules: Any, tmp_path: Path) -> None:
    told = ""
    async with serving(answer) as api, described(api.url, rules=rules, **PLAN) as shop:
        async with Engine(providers=[shop], log=SqliteLog(tmp_path / "calls.db")) as engine:
            try:
                done = await engine.call("buy", effect="read", deadline_ms=2_000)
                told = f"{done!r} {done.reply!r}"
            except RequestError as error:
                told = f"{error!r} {error}"
        told += repr(shop) + repr(shop.description)
    with sqlite3.connect(tmp_path / "calls.db") as log:
        rows = "\n".join(log.iterdump())
    assert api.asked
    assert SECRETS["TOKEN"] in api.asked[0].path  # It was sent, after all.
    assert SECRETS["PIN"] in plain_json.loads(api.asked[0].text)["deep"][0]["pin"]
    assert shows(told) == []
    assert shows(rows.replace("''", "'")) == []
    assert "call_failed" in rows or "[redacted]" in rows


async def test_a_reply_is_the_apis_own_but_for_the_secrets_in_it() -> None:
    answer = '{"id":4711,"note":"token key-abc of yours","list":[true,null,1.50,4712]}'
    async with (
        serving(lambda _: json(answer)) as api,
        described(
            api.url, secrets={"A": "key-abc", "PIN": "4712"}, buy={"query": {"a": "{secret.A}{secret.PIN}"}}
        ) as shop,
    ):
        reply = await bought(shop)
    assert reply.value["id"] == 4711
    assert reply.value["note"] == "token [redacted] of yours"
    assert repr(reply.value["list"]) == "[True, None, Decimal('1.50'), '[redacted]']"


async def test_what_a_request_says_is_no_part_of_what_an_error_calls_it() -> None:
    buy = {"path": "/numbers/{phone}/buy?x={phone}"}
    async with serving(lambda _: json("{}", 400)) as api, described(api.url, buy=buy) as shop:
        error = await error_of(bought(shop, request(context={"phone": "+4477"})))
    assert error.message == "POST /numbers/{phone}/buy: 400 Bad Request: {}"
    assert api.asked[0].raw_path == "/numbers/%2B4477/buy?x=%2B4477"


printable = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=4, max_size=20)


@hypothesis.given(printable, st.text(max_size=5), st.text(max_size=5))
def test_no_usual_spelling_of_a_secret_is_left(secret: str, before: str, after: str) -> None:
    secrets = Secrets([secret])
    for form in forms(secret):
        hidden = secrets.hide(f"{before} {form} {after}")
        assert form.rstrip("=") not in hidden.replace("[redacted]", "\0")


@hypothesis.given(st.text(alphabet="abc/+%", min_size=4, max_size=8), st.text(alphabet="xyz ", max_size=9))
def test_what_is_no_secret_is_left_as_it_is(secret: str, words: str) -> None:
    assert Secrets([secret]).hide(words) == words


def refusal(**made: Any) -> str:
    with pytest.raises(DescriptionError) as caught:
        described("http://127.0.0.1:1", **made)
    return str(caught.value)


@pytest.mark.parametrize(
    ("secret", "what"),
    [
        (None, "is not among the credentials"),
        ("abc", "is shorter than 4 characters, and could not be kept out of messages"),
        ("sesame-17\n", "must be text on one line, without blanks around it; is there a line break at its end?"),
        (1234567, "must be text, not int"),
    ],
)
def test_a_secret_that_cannot_be_used_is_refused_by_its_name_alone(secret: Any, what: str) -> None:
    secrets = {} if secret is None else {"KEY": secret}
    told = refusal(secrets=secrets, headers={"A": "{secret.KEY}"})
    assert told == f"credentials: secret KEY of provider shop {what}"


def test_the_environment_is_read_only_where_it_was_allowed() -> None:
    environment = {"SHOP_KEY": "sesame", "OTHER_KEY": "open", "EMPTY": ""}
    credentials = EnvironmentCredentials("SHOP_KEY", "EMPTY", environment=environment)
    assert credentials.secret("SHOP_KEY") == "sesame"
    for name in ("OTHER_KEY", "EMPTY", "MISSING"):
        with pytest.raises(LookupError):
            credentials.secret(name)
    assert repr(credentials) == "EnvironmentCredentials(EMPTY, SHOP_KEY)"
    assert repr(GivenCredentials({"SHOP_KEY": "sesame"})) == "GivenCredentials(SHOP_KEY)"


def test_a_variable_that_may_be_read_and_is_empty_is_told_apart_from_one_that_may_not() -> None:
    shop = {
        "id": "shop",
        "base_url": "http://127.0.0.1:1",
        "headers": {"A": "{secret.KEY}{secret.NO}"},
        "operations": {"ping": {"path": "/"}},
    }
    not_set = "is not set: there is no such variable in the environment, or it is empty"
    with pytest.raises(DescriptionError) as caught:
        HttpApi.from_mapping(shop, credentials=EnvironmentCredentials("KEY", environment={"KEY": "", "NO": "sesame"}))
    assert str(caught.value).splitlines() == [
        f"credentials: secret KEY of provider shop {not_set}",
        "credentials: secret NO of provider shop is not among the credentials",
    ]


async def test_a_ping_may_have_secrets() -> None:
    operations = {"ping": {"path": "/me", "query": {"key": "{secret.A}"}, "expects": "anything"}}
    async with (
        serving(lambda _: text("")) as api,
        described(api.url, secrets={"A": "a secret"}, operations=operations) as shop,
    ):
        await shop.ping()
    assert api.asked[0].query == {"key": "a secret"}
