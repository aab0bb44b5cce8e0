"""What the tests rely on when several workers run them."""

import pytest


@pytest.mark.xdist_group("wheel")
def test_what_is_made_once_for_a_group_is_made_by_one_worker(request: pytest.FixtureRequest) -> None:
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("all tests run in one process, or each wherever there is room")
    said = "this pytest-xdist does not tell a group to this pytest: every worker makes everything anew"
    assert request.node.nodeid.endswith("@wheel"), said
