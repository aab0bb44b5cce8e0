"""Comments in JSON, as people write them into settings: `//` to the end of a line, and `/* … */`."""

import re
from typing import Final

_PIECE: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"?|//[^\n]*|/\*(?:.*?\*/)?', re.DOTALL)
"""A text, which is left alone, or a comment; `/*` alone is one that never ends."""


def without_comments(text: str) -> str:
    """The same text with blanks in place of its comments: everything else stays in its line and column.

    Errors: ValueError with the line in which a comment begins that does not end.
    """
    return _PIECE.sub(lambda found: _blanked(found, text), text)


def _blanked(found: re.Match[str], text: str) -> str:
    piece = found[0]
    if piece.startswith('"'):
        return piece
    if piece == "/*":
        line = text.count("\n", 0, found.start()) + 1
        raise ValueError(f"the comment that begins with /* at line {line} does not end; close it with */")
    return re.sub(r"[^\n]", " ", piece)
