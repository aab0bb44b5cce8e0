"""The page on described providers names every key that there is, and none that is not."""

import re

from described_for_tests import PAGE
from pydantic import BaseModel

from understudy.adapters.providers.http_description import ApiDescription, OperationDescription, Rule
from understudy.events.vocabulary import FailureKind


def documented(section: str) -> set[str]:
    """The names in the first column of a section's tables."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    cells = (line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))
    return {name.partition(" ")[0] for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def keys(model: type[BaseModel]) -> set[str]:
    return set(model.model_fields)


def test_every_key_is_on_the_page() -> None:
    assert documented("A provider") == keys(ApiDescription) - {"id"}  # That is the table's name.
    assert documented("An operation") == keys(OperationDescription)
    assert documented("Rules") == keys(Rule)


def test_every_kind_of_failure_is_on_the_page() -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith("| `kind` |"))
    assert [kind for kind in FailureKind if f"`{kind}`" not in row] == []
