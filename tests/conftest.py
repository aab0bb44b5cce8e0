"""Which tests run: what is slow only when asked for, what needs ../shared/data only where that is.

A property that names no number is tried on 35 examples with every change, and on a thousand in a soak. Tests marked
`long` are for CI=true (`.ci/run`), so that `make test` stays quick.
"""

import os

import hypothesis
import pytest
from repository import SHARED_DATA

IN_CI = os.environ.get("CI") == "true"

# A property's time says how busy the machine is, not whether the law holds.
hypothesis.settings.register_profile(
    "understudy",
    deadline=None,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    max_examples=35,
)
hypothesis.settings.register_profile("soak", hypothesis.settings.get_profile("understudy"), max_examples=1_000)
hypothesis.settings.load_profile("understudy")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the tests marked `soak` too")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--soak"):
        hypothesis.settings.load_profile("soak")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the soak tests out, unless they were asked for: then properties are among them."""
    if config.getoption("--soak"):
        for item in items:
            if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
                item.add_marker(pytest.mark.soak)
        return
    later = {"soak"} if IN_CI else {"soak", "long"}
    left_out = [item for item in items if any(mark.name in later for mark in item.iter_markers())]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs the recorded data where they are missing; in CI they may not be missing."""
    if item.get_closest_marker("shared_data") is None or SHARED_DATA.is_dir():
        return
    reason = "needs the recorded data in ../shared/data"
    if IN_CI:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
