"""The base of everything that is written down: a frozen pydantic record with a name for ever."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Fact(BaseModel):
    """Something that happened. Never changed, never deleted.

    Shape:  fields named in `events.row.COLUMNS` become columns of the log; all others form the JSON payload.
            When it happened and its place in the stream belong to the envelope (`events.row.Recorded`).
    Units:  the unit ends a field's name: `at_us` is an instant (microseconds since 1970, UTC), `latency_us` a length.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    kind: ClassVar[str]
    """The stored name with its version, for example `call_failed.v1`. A new meaning is a new version."""

    nothing: ClassVar[None] = None
    """What stands in a column that a kind does not have."""
