"""The stage of the runtime tests: engines on virtual time, whose logs are verified in the end."""

from runtime.conftest import stage

__all__ = ["stage"]
