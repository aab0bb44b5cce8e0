"""What is wrong with a description is told by file, table and key, all of it at once, with what would be right."""

import copy
from pathlib import Path
from typing import Any

import pytest
from described_for_tests import SECRETS, on_the_page, page_blocks

from understudy.adapters import MemoryLog
from understudy.adapters.providers import (
    DescriptionError,
    GivenCredentials,
    HttpApi,
    HttpLimits,
    load_descriptions,
    load_providers,
)
from understudy.engine import Engine

NONE = GivenCredentials({})
RIGHT: dict[str, Any] = {
    "id": "shop",
    "base_url": "http://127.0.0.1:1",
    "operations": {"buy": {"path": "/buy", "rules": [{"status": 500, "kind": "transient"}], "reply": {}}},
}


def told(place: str, value: Any) -> str:
    """What is said of a description with this value at a place."""
    values = copy.deepcopy(RIGHT)
    holder: Any = values
    *way, last = place.split(".")
    for part in way:
        holder = holder[int(part)] if isinstance(holder, list) else holder.setdefault(part, {})
    holder[last] = value
    with pytest.raises(DescriptionError) as caught:
        HttpApi.from_mapping(values, credentials=NONE)
    return str(caught.value)


WRONG: list[tuple[str, Any, str]] = [
    ("operatons", {}, "description: has the unknown setting operatons; did you mean operations?"),
    ("operations.buy.pth", "/", "operations.buy has the unknown setting pth; did you mean path?"),
    ("operations.buy.reply.refrence", "id", "operations.buy.reply has the unknown setting refrence; did you mean ref"),
    ("operations.buy.method", "PSOT", "operations.buy.method is 'PSOT'; it must be one of GET, POST, PUT, PATCH, "),
    ("operations.buy.path", "buy", "operations.buy.path must begin with '/'; it is put behind base_url"),
    ("operations.buy.path", "/{x?}", "operations.buy.path has an optional placeholder; a path needs all of its parts"),
    ("operations.buy.path", "/{x", "operations.buy.path has a single brace at character 2; double it"),
    ("operations.buy.path", "/{x:number}", "operations.buy.path has ':number', which is for values of a JSON body"),
    ("operations.buy.query", {"a": []}, "operations.buy.query.a must be a text, a number, true or false"),
    ("operations.buy.body", {"a": "n={x:number}"}, "operations.buy.body has ':number' within a text"),
    ("operations.buy.reply.cost", "a..b", "operations.buy.reply.cost must be names with dots between them"),
    ("operations.buy.reply.cost", "{secret.X}", "operations.buy.reply.cost may have plain placeholders only"),
    ("operations.buy.reply.value", 5, "operations.buy.reply.value must be a path into the answer, or a table"),
    ("operations.buy.reply.pattern", "(", "operations.buy.reply.pattern is no regular expression: missing )"),
    ("operations.buy.reply", {"pattern": "a", "cost": "b"}, "operations.buy.reply has a pattern, for text, and paths"),
    ("operations.buy.reply.finding", "f", "operations.buy has a finding, and is no look-up"),
    ("operations.buy.lookup", "find", "operations.buy.lookup is 'find', and no operation has that name"),
    ("operations.buy.expects", "jsn", "operations.buy.expects is 'jsn'; it must be one of json, text, anything; did "),
    ("operations.lookup", {"path": "/"}, "operations.lookup is a look-up that finds nothing"),
    ("operations.stock", {"path": "/"}, "operations.stock has no place for the stock"),
    ("operations.ping", {"path": "/{country}"}, "operations.ping is about no request, which {country} would be taken"),
    ("operations.ping", {}, "operations.ping has no path"),
    ("operations.buy.rules.0.kind", "rate_limit", "operations.buy.rules.number 1.kind is 'rate_limit'; it must be one"),
    ("operations.buy.rules.0.status", 99, "operations.buy.rules.number 1.status must be a status from 100 to 599"),
    ("operations.buy.rules.0.finding", "absent", "operations.buy.rules.number 1 must say what the answer is: either"),
    ("operations.buy.rules.0.equals", 1, "operations.buy.rules.number 1 has equals or missing without a field"),
    ("operations.buy.rules.0.code", "{x}", "operations.buy.rules.number 1.code may have no placeholders"),
    ("rules", [{"kind": "transient"}], "rules.number 1 has no condition: give a status, a field or a pattern"),
    ("rules", [{"field": "a", "equals": 1, "missing": True, "kind": "transient"}], "rules.number 1 has more than one"),
    ("rules", [{"field": "a?", "kind": "transient"}], "rules.number 1.field may not end in '?'"),
    ("operations", {}, "operations is a table: "),
    ("base_url", "ftp://x", "base_url must be an address like 'https://api.example.com/v1'"),
    ("base_url", "http://me:sesame@x", "base_url must be an address without user, query and fragment"),
    ("headers", {"X-Key": "{key}"}, "headers.X-Key goes with every request: it may have no placeholders but secrets"),
    ("codes", {"cuntry": {}}, "codes.cuntry belongs to no placeholder"),
    ("limits", {"conect_ms": 1}, "limits has an unknown limit 'conect_ms'; did you mean 'connect_ms'?"),
    ("limits", {"connect_ms": 0}, "limits connect_ms must be a whole number of at least 1, not 0"),
    ("priority", 1, "description: has the unknown setting priority; it is a setting of a provider: "),
]


@pytest.mark.parametrize(("place", "value", "what"), WRONG)
def test_what_is_wrong_is_told_with_its_place(place: str, value: Any, what: str) -> None:
    said = told(place, value)
    assert said.removeprefix("description: ").startswith(what.removeprefix("description: "))
    assert "\n" not in said


@pytest.mark.parametrize("place", ["base_url", "headers", "operations.buy.query", "operations.buy.form"])
def test_a_key_that_somebody_wrote_into_a_description_is_not_repeated(place: str) -> None:
    for value in ({"X-Key": ["sesame-17"]}, {"X-Key": "sesame-17{"}, ["sesame-17"]):
        assert "sesame-17" not in told(place, value)


METHODS = "GET, POST, PUT, PATCH, DELETE"
FILE = """
[providers.alpha]
base_url = "http://127.0.0.1:1"
operations.buy = { pth = "/buy" }

[providers.beta]
id = "gamma"

[providers.delta]
operations.buy = { path = "/buy", method = "get" }

[provider.epsilon]
"""


def test_a_file_tells_all_that_is_wrong_by_file_table_and_key(tmp_path: Path) -> None:
    (tmp_path / "shops.toml").write_text(FILE)
    with pytest.raises(DescriptionError) as caught:
        load_descriptions(tmp_path / "shops.toml")
    source = tmp_path / "shops.toml"
    assert str(caught.value).splitlines() == [
        f"{source}: provider is unknown; did you mean 'providers'?",
        f"{source}: providers.alpha.operations.buy has no path",
        f"{source}: providers.alpha.operations.buy has the unknown setting pth; did you mean path?",
        f"{source}: providers.beta.id must be 'beta', or be left out",
        f"{source}: providers.delta has no base_url",
        f"{source}: providers.delta.operations.buy.method is 'get'; it must be one of {METHODS}; did you mean 'GET'?",
    ]
    assert [fault.where for fault in caught.value.faults][-1] == "providers.delta.operations.buy.method"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "providers must be a table of providers by name, and not empty"),
        ("providers = 1", "providers must be a table of providers by name, and not empty"),
        ("[providers]\na = 1", "providers.a must be a table that describes a provider"),
        ("[[", "this is not valid TOML"),
    ],
)
def test_a_file_without_providers_is_refused(text: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "shops.toml").write_text(text)
    with pytest.raises(DescriptionError, match=r"shops\.toml") as caught:
        load_descriptions(tmp_path / "shops.toml")
    assert what in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DescriptionError, match=r"none\.toml: there is no such file"):
        load_descriptions(tmp_path / "none.toml")


def test_all_secrets_that_a_file_lacks_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "shops.toml").write_text("\n".join(page_blocks("toml")))
    with pytest.raises(DescriptionError) as caught:
        load_providers(tmp_path / "shops.toml", credentials=GivenCredentials({"FIVESIM_TOKEN": "abcd"}))
    assert str(caught.value).splitlines() == [
        "credentials: secret SMS_KEY of provider sms-activate is not among the credentials",
        "credentials: secret COINGATE_TOKEN of provider coingate is not among the credentials",
    ]


async def test_the_providers_of_a_file_can_be_given_to_an_engine_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "shops.toml").write_text("\n".join(page_blocks("toml")))
    shops = load_providers(tmp_path / "shops.toml", credentials=GivenCredentials(SECRETS))
    able = {shop.id: [name for name in ("ping", "lookup", "stock", "quote") if hasattr(shop, name)] for shop in shops}
    assert able == {"fivesim": ["ping", "stock"], "sms-activate": ["ping", "stock"], "coingate": ["lookup"]}
    async with Engine(providers=shops, log=MemoryLog()) as engine:
        coingate = engine.standing.policy.by_id["coingate"]
    assert (coingate.settle_ms, coingate.has_lookup, coingate.has_ping) == (5000, True, False)


def test_limits_are_those_of_every_http_adapter() -> None:
    shop = HttpApi.from_mapping({**RIGHT, "limits": {"connect_ms": 7}}, credentials=NONE)
    assert shop.limits == HttpLimits(connect_ms=7)
    assert on_the_page("coingate")["settle_ms"] == 5000
