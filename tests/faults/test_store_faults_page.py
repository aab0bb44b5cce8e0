"""What docs/store-faults.md says that people will read is what the store says."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from repository import ROOT

from understudy.adapters.stores import faults, holding

PAGE = (ROOT / "docs" / "store-faults.md").read_text(encoding="utf-8")
OTHERS_WORDS = re.compile(r"[\w /]+ \(SQLITE_\w+\): ?")
"""SQLite's own, and the name of its error."""
SHORTEST = 12


def sentences() -> Iterator[str]:
    """All that the store says, with nothing where a name is filled in."""
    yield from faults._REMEDIES.values()
    yield from (*holding._SENTENCES.values(), holding._TORN)
    for path in sorted((ROOT / "adapters" / "stores").glob("*.py")):
        for node in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8"))):
            match node:
                case ast.JoinedStr(values=parts):
                    yield "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in parts)
                case ast.Constant(value=str() as text):
                    yield text


def quoted() -> list[str]:
    """What the tables quote, in pieces between what they leave out."""
    spans = [span for line in PAGE.splitlines() if line.startswith("| ") for span in re.findall(r"`([^`]+)`", line)]
    pieces = [piece.strip(" ;") for span in spans for piece in OTHERS_WORDS.sub("", span).split("…")]
    return [piece for piece in pieces if len(piece) > SHORTEST and " " in piece and not piece.startswith("understudy ")]


def test_the_page_quotes_something() -> None:
    assert len(quoted()) > 20


@pytest.mark.parametrize("piece", quoted())
def test_every_sentence_of_the_page_is_one_of_ours(piece: str) -> None:
    assert any(piece in sentence for sentence in sentences()), piece
