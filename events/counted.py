"""How many of something there are, as people say it."""


def counted(count: int, one: str, many: str = "") -> str:
    """A number and its noun: `1 request`, `2 requests`; `many` where the plural is not made by an s at the end."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
