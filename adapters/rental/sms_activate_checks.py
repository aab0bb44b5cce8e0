"""What a shop is set up with, checked before a rental finds out."""

import re
from collections.abc import Mapping
from typing import Final

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}")


def check_shop(name: str, *, api_key: str, countries: Mapping[str, str], services: Mapping[str, str]) -> None:
    """Refuse a name, a key or maps with which no number could be rented.

    Errors: ValueError, saying what would be right.
    """
    if not isinstance(name, str) or not _ID.fullmatch(name):  # type: ignore[redundant-expr]
        raise ValueError(f"a shop's name is up to 100 letters, digits and _.:- without spaces, not {name!r}")
    if not isinstance(api_key, str) or not api_key.strip() or api_key != api_key.strip():  # type: ignore[redundant-expr]
        raise ValueError(f"{name} needs an api_key: a text that is not empty, without spaces around it")
    if not countries:
        raise ValueError(f"{name} needs countries, our names to the shop's: {{'us': '187'}}; else it offers nothing")
    for what, mapped in (("countries", countries), ("services", services)):
        for ours, theirs in mapped.items():
            if not _is_text(ours) or not _is_text(theirs):
                raise ValueError(
                    f"{name}: {what} maps text to text, such as {{'us': '187'}}, not {ours!r} to {theirs!r}"
                )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != "" and value == value.strip()
