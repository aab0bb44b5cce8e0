"""Write the tables of all policy settings into docs/configuration.md, from the policy's own schema.

Run with the development environment's Python: `.venv/bin/python tools/policy_table.py`. A test fails while the document
is not what this would make of it.
"""

from collections.abc import Iterable
from pathlib import Path

from understudy.adapters.config_schema import Setting, settings
from understudy.events.policy import Policy, ProviderSettings

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"
BEGIN = "<!-- Made by tools/policy_table.py: change the policy, not this. -->"
END = "<!-- End of what tools/policy_table.py makes. -->"


def main() -> None:
    """Bring the document up to date."""
    DOCUMENT.write_text(updated(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")


def updated(text: str) -> str:
    """The document with new tables between its two marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"


def tables() -> str:
    """A table of the policy's own settings, and one of a provider's."""
    whole = "\n".join(["### The policy", "", *rows(settings(Policy).values())])
    each = "\n".join(["### Each provider", "", *rows(settings(ProviderSettings).values())])
    return f"{whole}\n\n{each}"


def rows(listed: Iterable[Setting]) -> list[str]:
    """The lines of a table."""
    return ["| setting | may be | default | meaning |", "|---|---|---|---|", *map(row, listed)]


def row(one: Setting) -> str:
    """The line of one setting."""
    allowed = f"{one.allowed}, or none" if one.optional else one.allowed
    return f"| `{one.name}` | {allowed} | {one.default} | {one.meaning.split(chr(10))[0]} |"


if __name__ == "__main__":
    main()
