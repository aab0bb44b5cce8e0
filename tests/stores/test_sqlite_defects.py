"""Which versions of SQLite have a defect that concerns a log."""

import pytest

from understudy.adapters.stores.sqlite_defects import Version, defects


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ((3, 40, 1), ["WAL-reset"]),
        ((3, 44, 5), ["WAL-reset"]),
        ((3, 44, 6), []),
        ((3, 45, 0), ["WAL-reset"]),
        ((3, 50, 6), ["WAL-reset"]),
        ((3, 50, 7), []),
        ((3, 51, 2), ["WAL-reset"]),
        ((3, 51, 3), []),
        ((3, 52, 0), ["withdrawn"]),
        ((3, 53, 0), []),
        ((3, 23, 1), ["too old", "WAL-reset"]),
    ],
    ids=str,
)
def test_each_version_has_the_defects_that_are_known_of_it(version: Version, words: list[str]) -> None:
    found = list(defects(version))
    assert len(found) == len(words)
    assert all(word in one for word, one in zip(words, found, strict=True))
    assert all(".".join(map(str, version)) in one for one in found)
