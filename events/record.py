"""Records that nobody changes: checked by the type checker, which costs nothing when the program runs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform, overload

T = TypeVar("T")


@overload
def record(cls: type[T], /) -> type[T]: ...


@overload
def record(*, kw_only: bool) -> Callable[[type[T]], type[T]]: ...


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T] | None = None, /, *, kw_only: bool = False) -> type[T] | Callable[[type[T]], type[T]]:
    """A dataclass with slots that is frozen for the type checker alone.

    A dozen of them are made for every request, and a dataclass that is frozen at run time takes three times as long
    to make. Nothing of ours assigns to one: `mypy --strict` sees to that.
    """
    if cls is None:
        return dataclass(slots=True, kw_only=kw_only)
    return dataclass(slots=True)(cls)
