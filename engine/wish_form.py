"""What all wishes have in common: who has them, and why."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from understudy.engine.quarantine import RULES

LONGEST: Final = 500
"""Characters that an operator's words may have."""


class SignedForm(BaseModel):
    """A wish that is put to an engine; what is wanted is said by its kinds.

    Units:  until `awaited_until_us` somebody waits for the answer, and is told of a refusal: it is no alert then. It is
            said to the inbox, and stands in no event.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    actor: str = Field(min_length=1, max_length=200)
    awaited_until_us: int | None = Field(default=None, exclude=True)

    @field_validator("actor")
    @classmethod
    def _somebody(cls, actor: str) -> str:
        if actor == RULES:
            raise PydanticCustomError("reserved", f"{RULES!r} is the name that the engine's own rules go by")
        return actor


class WishForm(SignedForm):
    """One that says why."""

    reason: str = Field(min_length=1, max_length=LONGEST)


def first_fault(error: ValidationError) -> str:
    """What is wrong with the first field that is, and where."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return (
        f"{where}: {first['msg']}, not {first['input']!r}"
        if where
        else f"a command that makes no sense: {first['msg']}"
    )
