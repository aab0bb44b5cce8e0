"""The real clock, dice and ids."""

import copy
import os
from importlib.metadata import PackageNotFoundError

import pytest

from understudy.engine.system import RealSystem


def test_parent_and_child_of_a_fork_do_not_roll_the_same_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = RealSystem()
    child = copy.deepcopy(parent)  # What a fork does.
    ids = {parent.new_id()[13:]}
    monkeypatch.setattr(os, "getpid", lambda: -1)
    ids |= {child.new_id()[13:]}
    assert len(ids) == 2


def test_where_nothing_is_installed_the_version_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_nothing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("understudy.engine.system.version", find_nothing)
    assert RealSystem().identity().version == "unknown"
