"""What operators may want of a running engine, as its methods; the same comes through the inbox of its log."""

from abc import abstractmethod
from typing import Any

from understudy.engine.commands import (
    ClearOverride,
    LiftSilence,
    Probe,
    Release,
    Resolve,
    SetOverride,
    SetPreferences,
    Silence,
    W,
)
from understudy.engine.desk import Note
from understudy.engine.drill_commands import StartDrill, StopDrill
from understudy.engine.drills import running
from understudy.events.drills import DrillForm
from understudy.events.vocabulary import ForcedState
from understudy.projections.standing import Standing


class Operated:
    """Something that wishes can be put to. Each names its actor and its reason, and is put on record with both."""

    def override(
        self, provider: str, state: ForcedState | str, *, actor: str, reason: str, for_ms: int | None = None
    ) -> None:
        """Force a provider's state.

        `open` is never called, `closed` is called whatever its circuit says, `drain` gets nothing new.
        """
        self._wish(SetOverride, provider=provider, state=state, for_ms=for_ms, actor=actor, reason=reason)

    def clear_override(self, provider: str, *, actor: str, reason: str) -> None:
        """Take a forced state back, or declare a misconfigured provider fixed."""
        self._wish(ClearOverride, provider=provider, actor=actor, reason=reason)

    def probe(self, provider: str, *, actor: str, reason: str) -> None:
        """Find out now whether a provider is well again: ping it if that can be done, end the rest of its circuit.

        Errors: InvalidRequest if there is nothing to probe, or if it is forced open or drained.
        """
        self._wish(Probe, provider=provider, actor=actor, reason=reason)

    def release(self, provider: str, pair: str, *, actor: str, reason: str) -> None:
        """Take a provider out of quarantine: its quotes for a pair count again."""
        self._wish(Release, provider=provider, pair=pair, actor=actor, reason=reason)

    def silence(self, alert: str, subject: str | None = None, *, for_ms: int, actor: str, reason: str) -> None:
        """Do not tell people of an alert for a while, of `subject` or of whatever it is about.

        It is raised and cleared on record all the same; if it stands when the silence ends, people are told then.
        Errors: InvalidRequest if there is no such alert, or if it can never be about `subject`.
        """
        self._wish(Silence, alert=alert, subject=subject, for_ms=for_ms, actor=actor, reason=reason)

    def lift_silence(self, alert: str, subject: str | None = None, *, actor: str, reason: str) -> None:
        """Tell people of an alert again.

        Errors: InvalidRequest if it is not silenced.
        """
        self._wish(LiftSilence, alert=alert, subject=subject, actor=actor, reason=reason)

    def resolve(
        self, request_id: str, *, executed: bool, actor: str, reason: str, reference: str | None = None
    ) -> None:
        """Decide, as an operator, what became of a suspended request.

        Errors: InvalidRequest if no such request is held.
        """
        fields = {"request_id": request_id, "executed": executed, "reference": reference}
        self._wish(Resolve, **fields, actor=actor, reason=reason)

    def change_preferences(self, *, actor: str, reason: str, **changes: Any) -> None:
        """Change preferences (`events.preferences`) by name; they stand above what is configured, at later starts, too.

        Errors: InvalidRequest for an unknown name, and for a value that cannot be.
        """
        self._wish(SetPreferences, changes=changes, actor=actor, reason=reason)

    def note(self, provider: str, text: str, *, actor: str) -> None:
        """Keep a peculiarity of a provider on record, for whoever looks at it later; no decision reads it.

        Errors: InvalidRequest for an unknown provider, and for a text that is empty or longer than 500 characters.
        """
        self._wish(Note, provider=provider, text=text, actor=actor)

    def drill(
        self, form: DrillForm | str, provider: str | None = None, *, for_ms: int, actor: str, reason: str, **more: Any
    ) -> str:
        """Hold a drill: make a fault up at a provider (`outage`, `brownout`, `throttle`, `flap`), or many (`chaos`).

        `more` are the other fields of `engine.drill_commands.StartDrill`. Returns the drill's id.
        Errors: InvalidRequest if there is a drill there, if it would last too long, or if nobody else can serve and
                `even_the_last` is not said.
        """
        self._wish(StartDrill, form=form, provider=provider, for_ms=for_ms, actor=actor, reason=reason, **more)
        return next(one.drill for one in running(self.standing) if (one.form, one.provider) == (form, provider))

    def stop_drill(self, drill: str | None = None, *, actor: str, reason: str) -> None:
        """End a drill now, or all that run.

        Errors: InvalidRequest if there is none.
        """
        self._wish(StopDrill, drill=drill, actor=actor, reason=reason)

    @property
    @abstractmethod
    def standing(self) -> Standing:
        """What the log adds up to."""

    @abstractmethod
    def _wish(self, kind: type[W], **fields: Any) -> None:
        """Put a wish on record and do at once what follows from it."""
