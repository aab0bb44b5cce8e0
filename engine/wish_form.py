"""What all wishes have in common: who has them, and why."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from understudy.engine.quarantine import RULES

LONGEST: Final = 500
"""Characters that an operator's words may have."""


class SignedForm(BaseModel):
    """A wish that is put to an engine; what is wanted is said by its kinds."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    actor: str = Field(min_length=1, max_length=200)

    @field_validator("actor")
    @classmethod
    def _somebody(cls, actor: str) -> str:
        if actor == RULES:
            raise PydanticCustomError("reserved", f"{RULES!r} is the name that the engine's own rules go by")
        return actor


class WishForm(SignedForm):
    """One that says why."""

    reason: str = Field(min_length=1, max_length=LONGEST)
