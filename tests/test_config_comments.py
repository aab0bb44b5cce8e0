"""Comments in JSON: they may stand wherever a blank may, and what looks like one within a text is none."""

import json

import hypothesis
import pytest
from hypothesis import strategies as st

from understudy.adapters.config_comments import without_comments


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('// a\n{"a": 1} // b', {"a": 1}),
        ('{"a": 1, // it\'s "this"\n"b": 2}', {"a": 1, "b": 2}),
        ('/* { */ {"a"/*:*/: /**/ 1}', {"a": 1}),
        ('{"url": "https://x.example//y/*z*/"}', {"url": "https://x.example//y/*z*/"}),
        (r'{"a": "\"// no comment"}', {"a": '"// no comment'}),
        (r'{"a": "\\" // a comment' + "\n}", {"a": "\\"}),
        ('{"a": 1 /* one // two */, "b": 2}', {"a": 1, "b": 2}),
        ("[1, // one /* still the same\n 2]", [1, 2]),
    ],
)
def test_comments_are_blanks_and_texts_are_left_alone(text: str, value: object) -> None:
    assert json.loads(without_comments(text)) == value


def test_everything_else_stays_in_its_place() -> None:
    text = '{ // one\n /* two\n\n */ "a" /* x */ : ] }'
    clean = without_comments(text)
    assert (len(clean), clean.count("\n"), clean.index('"a"')) == (len(text), 3, text.index('"a"'))


def test_a_comment_that_does_not_end_is_refused_with_its_line() -> None:
    with pytest.raises(ValueError, match=r"begins with /\* at line 2 does not end"):
        without_comments('{"a": 1}\n /* and so on "*" /')


PIECES = st.sampled_from(['"', "\\", "/", "//", "/*", "*/", "\n", "a", "ß", "{", " "])
TEXTS = st.lists(PIECES, max_size=8).map("".join)


@hypothesis.given(st.lists(TEXTS, max_size=3), st.dictionaries(TEXTS, st.integers(), max_size=2))
def test_json_without_comments_is_not_changed(texts: list[str], numbers: dict[str, int]) -> None:
    for ascii_only in (True, False):
        text = json.dumps([texts, numbers], ensure_ascii=ascii_only, indent=1)
        assert without_comments(text) == text
