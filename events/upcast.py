"""Old events, read as new ones: one function for each stored name that has been superseded.

An upcaster takes all fields of the old event (columns and payload in one mapping, JSON values) and gives back the new
name and its fields. Chains of upcasters are followed to the end. No name has been superseded so far.
"""

from collections.abc import Callable, Mapping
from typing import Any

Upcaster = Callable[[dict[str, Any]], tuple[str, dict[str, Any]]]

UPCASTERS: Mapping[str, Upcaster] = {}


def upcast(
    kind: str, fields: dict[str, Any], *, upcasters: Mapping[str, Upcaster] = UPCASTERS
) -> tuple[str, dict[str, Any]]:
    """The newest name and fields of a stored event."""
    while kind in upcasters:
        kind, fields = upcasters[kind](fields)
    return kind, fields
