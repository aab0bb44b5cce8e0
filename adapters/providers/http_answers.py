"""What an answer says, read as its description tells. What it should have and has not makes it an invalid reply."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from understudy.adapters.providers.http_description import ReplyDescription
from understudy.adapters.providers.http_messages import Expect, HttpReply
from understudy.adapters.providers.http_paths import as_text, find, split
from understudy.adapters.providers.http_quotes import QUOTED, instant_us, made_quote
from understudy.adapters.providers.http_templates import Values
from understudy.adapters.providers.redaction import REDACTED, Secrets
from understudy.engine.errors import InvalidReply
from understudy.engine.provider import Found, Reply
from understudy.events.quotes import Quote
from understudy.events.vocabulary import Finding


@dataclass(frozen=True, slots=True)
class Place:
    """A place in an answer: as its description spells it, and what it is for one request."""

    spelt: str
    parts: tuple[str, ...]
    optional: bool

    def within(self, reply: HttpReply) -> Any:
        """What is there; None only where it may be lacking. Errors: InvalidReply if it is lacking, or null."""
        value = find(reply.json, self.parts)
        if value is None and not self.optional:
            raise InvalidReply(f"the answer has no {self.spelt}: {reply.beginning}")
        return value


class Reading:
    """How the answer to one request is to be read. Made before it is sent, for what the request lacks."""

    def __init__(self, described: ReplyDescription, *, expects: Expect, values: Values) -> None:
        """Errors: Rejected if a place depends on something that the request lacks."""
        self._described = described
        self._expects = expects
        self._amount = values.amount
        self._places = {path: _place(path, values) for path in described.paths}

    def reply(self, reply: HttpReply, *, hide: Secrets) -> Reply:
        """An answer to a call. Errors: InvalidReply."""
        groups = self._groups(reply)
        return Reply(
            value=without(hide, self._value(reply, groups)),
            reference=self._reference(reply, groups, hide),
            cost=_amount(self._share("cost", reply, groups), reply),
            stock=_stock(self._share("stock", reply, groups), reply),
            quote=self._quote(reply, groups, hide),
            amount_out=_amount(self._share("amount_out", reply, groups), reply),
        )

    def found(self, reply: HttpReply, *, by_rule: Finding | None, hide: Secrets) -> Found:
        """An answer to a look-up. Errors: InvalidReply."""
        groups = self._groups(reply) if by_rule in {None, Finding.SUCCEEDED} else {}
        finding = self._finding(reply, groups) if by_rule is None else by_rule
        if finding is not Finding.SUCCEEDED:
            return Found(finding=finding)
        value = without(hide, self._value(reply, groups))
        return Found(
            finding=finding,
            value=value,
            reference=self._reference(reply, groups, hide),
            amount_out=_amount(self._share("amount_out", reply, groups), reply),
        )

    def _groups(self, reply: HttpReply) -> Mapping[str, str | None]:
        """The named groups of the pattern, if there is one."""
        if self._described.pattern is None:
            return {}
        match = re.search(self._described.pattern, reply.text)
        if match is None:
            raise InvalidReply(f"the answer is not what is described: {reply.beginning}")
        return match.groupdict() or {"value": match[0]}

    def _value(self, reply: HttpReply, groups: Mapping[str, str | None]) -> Any:
        path = self._described.value
        if groups:
            return groups["value"] if "value" in groups else dict(groups)
        if isinstance(path, dict):
            return {name: self._places[inner].within(reply) for name, inner in path.items()}
        if path is not None:
            return self._places[path].within(reply)
        match self._expects:
            case Expect.JSON:
                return reply.json
            case Expect.TEXT:
                return reply.text
            case Expect.ANYTHING:
                return None

    def _share(self, name: str, reply: HttpReply, groups: Mapping[str, str | None]) -> tuple[str, Any] | None:
        """Where a share of the answer is, and what it is; None if it is not described, or may be lacking."""
        if self._described.pattern is not None:
            found = groups.get(name)
            return None if found is None else (name, found)
        return self._at(getattr(self._described, name), reply)

    def _at(self, path: str | None, reply: HttpReply) -> tuple[str, Any] | None:
        found = None if path is None else self._places[path].within(reply)
        return None if found is None else (path or "", found)

    def _reference(self, reply: HttpReply, groups: Mapping[str, str | None], hide: Secrets) -> str | None:
        share = self._share("reference", reply, groups)
        return None if share is None else hide.hide(_text(share, reply))

    def _quote(self, reply: HttpReply, groups: Mapping[str, str | None], hide: Secrets) -> Quote | None:
        """The quote that the answer is, if one is described."""
        if not self._described.has("quote"):
            return None
        said = {name: self._quoted(name, reply, groups) for name in QUOTED}
        expires, reference = said.pop("expires_at"), said.pop("reference")
        numbers = {name: None if share is None else _number(share, reply) for name, share in said.items()}
        try:
            return made_quote(
                numbers,
                expires_at_us=None if expires is None else instant_us(_text(expires, reply)),
                reference=None if reference is None else hide.hide(_text(reference, reply)),
                amount=self._amount,
            )
        except ValueError as error:
            what = str(error) if expires is None else f"cannot be read as a quote: {error}"
        raise InvalidReply(f"the answer {what}: {reply.beginning}")

    def _quoted(self, name: str, reply: HttpReply, groups: Mapping[str, str | None]) -> tuple[str, Any] | None:
        """Where a share of the quote is, and what it is."""
        described = self._described.quote
        if described is None:
            return self._share(name, reply, groups)
        return self._at(getattr(described, name), reply)

    def _finding(self, reply: HttpReply, groups: Mapping[str, str | None]) -> Finding:
        share = self._share("finding", reply, groups)
        if share is None:
            raise InvalidReply(f"the answer meets no rule that says what was found: {reply.beginning}")
        word = _text(share, reply)
        if word in self._described.findings:
            return self._described.findings[word]
        try:
            return Finding(word)
        except ValueError:
            pass
        raise InvalidReply(f"findings does not say what {share[0]} means here: {reply.beginning}")


def without(hide: Secrets, value: Any) -> Any:
    """A copy of a JSON value without secrets: some APIs repeat what they were sent."""
    match value:
        case str():
            return hide.hide(value)
        case dict():
            return {hide.hide(str(name)): without(hide, inner) for name, inner in value.items()}
        case list():
            return [without(hide, inner) for inner in value]
        case bool() | None:
            return value
        case _:
            # A number that merely has the digits of a secret somewhere is left as it is.
            return REDACTED if hide.hide(str(value)) == REDACTED else value


def _place(path: str, values: Values) -> Place:
    parts = tuple(values.text(part) or "" for part in split(path.removesuffix("?")))
    return Place(path, parts, path.endswith("?"))


def _text(share: tuple[str, Any], reply: HttpReply) -> str:
    text = as_text(share[1])
    if text is None:
        raise InvalidReply(f"{share[0]} is no text: {reply.beginning}")
    return text


def _amount(share: tuple[str, Any] | None, reply: HttpReply) -> Decimal | None:
    return None if share is None else _number(share, reply)


def _stock(share: tuple[str, Any] | None, reply: HttpReply) -> int | None:
    if share is None:
        return None
    number = _number(share, reply)
    if number != number.to_integral_value() or number < 0:
        raise InvalidReply(f"{share[0]} is no number of units: {reply.beginning}")
    return int(number)


def _number(share: tuple[str, Any], reply: HttpReply) -> Decimal:
    """An exact number, be it written as a number or as text."""
    try:
        number = Decimal("nan") if isinstance(share[1], bool) else Decimal(as_text(share[1]) or "nan")
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise InvalidReply(f"{share[0]} is no number: {reply.beginning}")
    return number
