"""Sensitive values: out of the log in clear, back for those who may see them, gone when they are erased."""

import json

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from pydantic import JsonValue

from understudy.events.sensitive import MARK, conceal, redact, reveal, shown, token_of, tokens_in

SALT = b"0123456789abcdef"
NAMES = frozenset({"phone", "code"})
_LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
BODIES: st.SearchStrategy[JsonValue] = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["phone", "code", "name", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@for_all(BODIES)
def test_what_was_concealed_can_be_revealed(body: JsonValue) -> None:
    concealed, taken = conceal(body, NAMES, SALT)
    assert reveal(concealed, taken) == body


@for_all(BODIES)
def test_the_tokens_left_are_those_of_what_was_taken(body: JsonValue) -> None:
    concealed, taken = conceal(body, NAMES, SALT)
    assert tokens_in(concealed) == set(taken)


@for_all(BODIES)
def test_no_named_field_is_left_in_clear_at_any_depth(body: JsonValue) -> None:
    def clear(value: JsonValue) -> bool:
        match value:
            case dict():
                return any(
                    (name in NAMES and inner is not None and (not isinstance(inner, dict) or set(inner) != {MARK}))
                    or clear(inner)
                    for name, inner in value.items()
                )
            case list():
                return any(map(clear, value))
            case _:
                return False

    assert not clear(conceal(body, NAMES, SALT)[0])


def test_a_concealed_value_is_a_token_and_the_rest_stays() -> None:
    body: JsonValue = {"name": "Ann", "to": [{"phone": "+4179"}], "code": None}
    concealed, taken = conceal(body, NAMES, SALT)
    token = token_of(SALT, "+4179")
    assert concealed == {"name": "Ann", "to": [{"phone": {MARK: token}}], "code": None}
    assert taken == {token: '"+4179"'}
    assert len(token) == 32


def test_nothing_is_concealed_without_names() -> None:
    assert conceal({"phone": "1"}, (), SALT) == ({"phone": "1"}, {})


def test_the_same_value_has_the_same_token_in_one_store_and_another_in_another() -> None:
    assert token_of(SALT, "v") == token_of(SALT, "v") != token_of(b"other", "v")


def test_what_was_erased_stays_a_token() -> None:
    concealed, _ = conceal({"phone": "1", "list": [{"code": 2}]}, NAMES, SALT)
    assert reveal(concealed, {}) == concealed


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ann", "ann"),
        (7, "7"),
        (True, "true"),
        ({MARK: "a1b2c3d4e5"}, "«hidden a1b2c3»"),
        ({"to": {MARK: "a1b2c3d4e5"}, "of": ["x", None]}, "{to: «hidden a1b2c3», of: [x, null]}"),
        ({MARK: "a1b2c3d4e5", "more": 1}, "{$sensitive: a1b2c3d4e5, more: 1}"),
    ],
)
def test_people_are_shown_a_mark_in_the_place_of_what_is_concealed(value: JsonValue, expected: str) -> None:
    assert shown(value) == expected


def test_an_object_that_only_looks_like_a_token_is_left_alone() -> None:
    body: JsonValue = {MARK: "t", "more": 1}
    assert (reveal(body, {"t": "9"}), tokens_in(body)) == (body, set())


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("call +41790000000 failed", ["+41790000000"], "call [redacted] failed"),
        ("code 1234, again 1234", ["1234"], "code [redacted], again [redacted]"),
        ("abc stays, it is too short to tell from words", ["abc"], "abc stays, it is too short to tell from words"),
        ("code 471100 of 471", [471100, 471], "code [redacted] of 471"),
        ("41790000000 is barred", ["+41790000000"], "[redacted] is barred"),
        (
            "no such street: Elm Road 7",
            [{"street": "Elm Road 7", "of": ["Springfield", None, True]}],
            "no such street: [redacted]",
        ),
        ("nothing here", ["secret"], "nothing here"),
    ],
)
def test_a_message_is_freed_of_sensitive_values(text: str, values: list[object], expected: str) -> None:
    assert redact(text, [json.dumps(value) for value in values], 500) == expected


def test_a_long_message_is_cut_with_a_marker() -> None:
    assert redact("x" * 501, (), 500) == "x" * 500 + "…[cut, 501 characters]"
    assert redact("x" * 500, (), 500) == "x" * 500


def test_a_value_is_redacted_before_the_message_is_cut() -> None:
    assert "secret" not in redact("x" * 497 + "secret", ['"secret"'], 500)
