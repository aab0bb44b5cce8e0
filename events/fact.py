"""The base of everything that is written down: a record with a name for ever."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import ConfigDict, JsonValue, SkipValidation, TypeAdapter

Json = Annotated[JsonValue, SkipValidation]
"""What was read from JSON, or made of it with care: looking at every value of it again would take longer than the rest
of an event."""


class Fact:
    """Something that happened. Never changed, never deleted.

    Shape:  fields named in `events.row.COLUMNS` become columns of the log; all others form the JSON payload.
            When it happened and its place in the stream belong to the envelope (`events.row.Recorded`).
            Made by its constructor it is taken as it is, for the type checker has looked; `of` validates.
    Units:  the unit ends a field's name: `at_us` is an instant (microseconds since 1970, UTC), `latency_us` a length.
    """

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Any]]
    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", ser_json_inf_nan="constants")

    kind: ClassVar[str]
    """The stored name with its version, for example `call_failed.v1`. A new meaning is a new version."""

    nothing: ClassVar[None] = None
    """What stands in a column that a kind does not have."""

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        """The fact that these fields tell, validated.

        Errors: pydantic's ValidationError.
        """
        made: Self = adapter(cls).validator.validate_python(dict(fields))
        return made


_ADAPTERS: Final[dict[type, TypeAdapter[Any]]] = {}


def adapter(event: type[Fact]) -> TypeAdapter[Any]:
    """What validates facts of one type, and puts them into JSON."""
    found = _ADAPTERS.get(event)
    if found is None:
        found = _ADAPTERS[event] = TypeAdapter(event)
    return found
