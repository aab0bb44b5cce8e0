"""Why this one? One request told as a story, with every decision's table, vetoes and flip points."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import from_json, to_jsonable_python

from understudy.engine.eligibility import is_eligible
from understudy.engine.quote_verdicts import NOT_ASKED
from understudy.events.calls import CallSucceeded
from understudy.events.codec import recorded
from understudy.events.counted import counted
from understudy.events.decisions import DecisionMade
from understudy.events.errors import UnderstudyError
from understudy.events.log import LogReader
from understudy.events.operations import PolicyActivated
from understudy.events.policy import Policy
from understudy.events.requests import RequestAccepted
from understudy.events.row import Recorded
from understudy.events.sensitive import MARK, tokens_in
from understudy.replay.amount_bounds import bound
from understudy.replay.decision_table import legend_of, table, wrapped
from understudy.replay.flip import flip_point
from understudy.replay.story import believed, below_par, instant, ms, sentence, veto

WIDTH: Final = 100
"""Columns of a story, where nobody says otherwise."""
_NOTICED_US: Final = 10_000
"""A shorter time between acceptance and decision is the engine's own."""
_MARGIN: Final = " " * 17
_INDENT: Final = " " * 4


class UnknownRequest(UnderstudyError):
    """The log has no request of that id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One request with everything that happened to it.

    Shape:  `events` in order; `policies` are those in force at each decision, by the seq of the decision. `concealed`
            are the tokens of its sensitive values, `forgotten` those of them whose value has been erased.
    """

    request_id: str
    events: tuple[Recorded, ...]
    policies: dict[int, Policy]
    concealed: frozenset[str] = frozenset()
    forgotten: frozenset[str] = frozenset()

    def lines(self, *, width: int = WIDTH) -> list[str]:
        """The story as plain text, in lines of at most `width` columns; only a hash or an id may be longer."""
        first = self.events[0]
        told = [f"Request {self.request_id}", instant(first.at_us)]
        explained = False
        for one, said in zip(self.events, self._sentences(), strict=True):
            prefix = f"  +{ms(one.at_us - first.at_us):>12}  "
            told += wrapped(said, width=width, first=prefix, then=f"{_MARGIN}  ")
            if isinstance(one.event, DecisionMade):
                told += [f"{_INDENT}{line}" for line in table(one.event, width=width - len(_INDENT))]
                remarks = self._remarks(one, one.event)
                legend = legend_of(one.event)
                for line in remarks if explained else (legend, *remarks):
                    told += wrapped(line, width=width, first=_INDENT, then=f"{_INDENT}  ")
                explained = True
        if self.forgotten:
            count = f"{len(self.forgotten)} of its {counted(len(self.concealed), 'sensitive value')}"
            told.append(f"{_INDENT}{count} {'is' if len(self.forgotten) == 1 else 'are'} forgotten")
        return told

    def to_json(self) -> dict[str, Any]:
        """The story as JSON: each event with its sentence, each decision with its flip points and bounds."""
        return {
            "request_id": self.request_id,
            "forgotten": sorted(self.forgotten),
            "events": [
                {
                    "seq": one.seq,
                    "at_us": one.at_us,
                    "kind": one.event.kind,
                    "told": said,
                    "event": to_jsonable_python(one.event, exclude_none=True),
                    **(self._of_the_decision(one.seq, one.event) if isinstance(one.event, DecisionMade) else {}),
                }
                for one, said in zip(self.events, self._sentences(), strict=True)
            ],
        }

    def _of_the_decision(self, seq: int, decision: DecisionMade) -> dict[str, dict[str, str]]:
        return {"flip_points": self.flip_points(seq, decision), "bounds": self.bounds(seq, decision)}

    def flip_points(self, seq: int, decision: Any) -> dict[str, str]:
        """For each candidate that lost a decision, what would have made it win."""
        found = {
            one.provider: flip_point(decision, one, self.policies.get(seq, Policy())) for one in decision.candidates
        }
        return {provider: flip for provider, flip in found.items() if flip is not None}

    def _sentences(self) -> Iterator[str]:
        """Each event in words. Who comes while others wait for the same stands behind them, and no event says so."""
        before = self.events[0]
        for one in self.events:
            waited_us = one.at_us - before.at_us
            said = sentence(one, self.forgotten)
            in_line = isinstance(before.event, RequestAccepted) and waited_us >= _NOTICED_US
            yield f"after {ms(waited_us)} in line behind others, {said}" if in_line else said
            before = one

    def bounds(self, seq: int, decision: DecisionMade) -> dict[str, str]:
        """For each candidate that the amount spoke against, which bound it is beyond."""
        accepted = self.events[0].event
        if not isinstance(accepted, RequestAccepted):
            return {}
        before = [one.event for one in self.events if one.seq < seq]
        quotes = {event.provider: event.quote for event in before if isinstance(event, CallSucceeded) and event.quote}
        found = {
            one.provider: bound(
                one.verdict,
                quotes.get(one.provider),
                amount=accepted.amount,
                pair=accepted.pair,
                policy=self.policies.get(seq, Policy()),
            )
            for one in decision.candidates
        }
        return {provider: told for provider, told in found.items() if told is not None}

    def _remarks(self, recorded: Recorded, decision: DecisionMade) -> Iterator[str]:
        seq, accepted = recorded.seq, self.events[0].event
        left_us = accepted.deadline_at_us - recorded.at_us if isinstance(accepted, RequestAccepted) else 0
        policy, bounds = self.policies.get(seq, Policy()), self.bounds(seq, decision)
        for one in decision.candidates:
            if one.verdict == NOT_ASKED:
                continue  # The table says so, and there may be many.
            if is_eligible(one.verdict) and (offer := believed(one)):
                yield f"{one.provider} was believed to have {offer}" if one.stock else f"{one.provider} was {offer}"
            if not is_eligible(one.verdict):
                figures = f": it {bounds[one.provider]}" if one.provider in bounds else ""
                yield f"{one.provider} was out: {veto(one, left_us=left_us)}{figures}"
            elif standing := below_par(one, policy):
                yield f"{one.provider} {standing}"
        if decision.provider is not None:
            for provider, flip in self.flip_points(seq, decision).items():
                yield f"{decision.provider} won; {provider}: {flip}"


def explain(reader: LogReader, request_id: str) -> Story:
    """The story of a request.

    Errors: UnknownRequest.
    """
    rows = reader.request_rows(request_id)
    events = tuple(map(recorded, rows))
    if not events or not isinstance(events[0].event, RequestAccepted):
        raise UnknownRequest(f"the log has no request {request_id!r}")
    activations = [recorded(row) for row in reader.operations(PolicyActivated.kind, through=events[-1].seq)]
    policies: dict[int, Policy] = {}
    for one in events:
        for activation in activations:
            if activation.seq < one.seq and isinstance(activation.event, PolicyActivated) and _is_decision(one):
                policies[one.seq] = activation.event.policy
    concealed = frozenset[str]().union(*(tokens_in(from_json(row.payload)) for row in rows if MARK in row.payload))
    return Story(
        request_id=request_id,
        events=events,
        policies=policies,
        concealed=concealed,
        forgotten=concealed.difference(reader.kept(concealed)),
    )


def _is_decision(one: Recorded) -> bool:
    return isinstance(one.event, DecisionMade)
