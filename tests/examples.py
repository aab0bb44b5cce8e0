"""On how many examples a property is tried: on few with every change, on many in a soak."""

import pytest


def tried_on(usual: int, *, soak: int) -> pytest.MarkDecorator:
    """Give a test its number of `examples`: the usual one, and once more, as a soak, a large one."""
    return pytest.mark.parametrize("examples", [usual, pytest.param(soak, marks=pytest.mark.soak)])
