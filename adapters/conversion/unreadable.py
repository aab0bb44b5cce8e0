"""Why a text is no address: raised by the encodings and forms, told to callers by `addresses`."""

from typing import Final

BAD_CHECKSUM: Final = "its checksum is wrong: a character is probably mistyped or missing; copy it once more"


class Unreadable(ValueError):
    """A text does not follow an encoding's rules. Its message speaks of the text as "it", and repeats nothing long."""


def named(character: str) -> str:
    """A character as an error shows it: as it is where everybody can see it, else by its code point."""
    return repr(character) if character.isascii() and character.isprintable() else f"U+{ord(character):04X}"
