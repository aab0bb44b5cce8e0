"""What happened to the engine itself, and what operators and rules did to it."""

from typing import ClassVar

from understudy.events.fact import Fact, Json
from understudy.events.policy import Policy
from understudy.events.record import record
from understudy.events.vocabulary import ForcedState, Mode


@record(kw_only=True)
class EngineStarted(Fact):
    """An engine took the stream over.

    Shape:  `rules_version` is the version of the deciding rules; decisions made under another are not recomputed.
    """

    kind: ClassVar[str] = "engine_started.v1"
    version: str
    rules_version: int
    python: str
    writer: str


@record(kw_only=True)
class EngineStopped(Fact):
    """An engine let the stream go in good order."""

    kind: ClassVar[str] = "engine_stopped.v1"
    writer: str


@record(kw_only=True)
class ClockStepped(Fact):
    """The wall clock was set while we ran; engine time was anchored anew.

    Units:  `step_us` is how far the wall clock was set, forward if positive. Engine time follows a step forward; it
            never runs backward: after a step back it goes on at its own pace, ahead of the wall clock.
    """

    kind: ClassVar[str] = "clock_stepped.v1"
    step_us: int


@record(kw_only=True)
class PolicyActivated(Fact):
    """From here on this policy decides. It is written whole, so that the log alone suffices."""

    kind: ClassVar[str] = "policy_activated.v1"
    policy: Policy
    policy_hash: str


@record(kw_only=True)
class PreferencesChanged(Fact):
    """An operator changed preferences while the engine ran, or an `UPDATE` of `provider_preferences` in SQL did.

    Shape:  `changes` has the new values by name (see `events.preferences`). A `PolicyActivated` follows with the policy
            that they make; they stand above what later starts configure.
    """

    kind: ClassVar[str] = "preferences_changed.v1"
    changes: dict[str, Json]
    actor: str
    reason: str


@record(kw_only=True)
class OverrideSet(Fact):
    """An operator forced a provider's state; `until_us` None means until cleared."""

    kind: ClassVar[str] = "override_set.v1"
    provider: str
    state: ForcedState
    until_us: int | None = None
    actor: str
    reason: str


@record(kw_only=True)
class OverrideCleared(Fact):
    """An operator took a forced state back, or declared a misconfigured provider fixed."""

    kind: ClassVar[str] = "override_cleared.v1"
    provider: str
    actor: str
    reason: str


@record(kw_only=True)
class ProbeRequested(Fact):
    """An operator wants to know now whether a provider is well again: an open circuit need not rest any longer.

    What comes of it (a ping, a request that probes) is on record by itself.
    """

    kind: ClassVar[str] = "probe_requested.v1"
    provider: str
    actor: str
    reason: str


@record(kw_only=True)
class SyncRequested(Fact):
    """An operator wants to know now what a provider has on offer, or what all have: lists are asked for at once."""

    kind: ClassVar[str] = "sync_requested.v1"
    provider: str | None = None
    actor: str
    reason: str


@record(kw_only=True)
class AlertRaised(Fact):
    """Something needs a person.

    Shape:  `alert` is the rule's name (`local_fault`, `misconfigured`, `insufficient_funds`, `suspended`,
            `contradiction`); `subject` is what it is about: a provider, a request, or `` for the engine itself.
            `told_us`: when people were told, if that was before it could be put on record.
    """

    kind: ClassVar[str] = "alert_raised.v1"
    alert: str
    subject: str
    message: str
    told_us: int | None = None


@record(kw_only=True)
class AlertCleared(Fact):
    """The cause of an alert is gone; `message` tells how, where it did not go by itself."""

    kind: ClassVar[str] = "alert_cleared.v1"
    alert: str
    subject: str
    message: str | None = None


@record(kw_only=True)
class ModeChanged(Fact):
    """The engine as a whole is served otherwise: by the best tier, by its backups, or by nothing but the last resort.

    Shape:  `normal` while a provider of the best tier can serve; `degraded` while only those of later tiers can;
            `emergency` when there are none but those of the emergency tier, or nobody.
    """

    kind: ClassVar[str] = "mode_changed.v1"
    mode: Mode
    previous: Mode


@record(kw_only=True)
class SegmentArchived(Fact):
    """A stretch of the log has been sealed in a file, and read back from there: its rows may leave the database.

    Shape:  the events `first_seq` to `last_seq`; `previous_chain` is the chain value before the first of them, `chain`
            that of the last, in hex. The file lies in `folder`, which is seen from the database's own unless absolute,
            has `size` bytes, and `sha256` of them (hex). A snapshot of the standing at `last_seq`, as `fold_version`
            folds it, stays in the database: `base_sha256` (hex) is that of its content. So do the rows of
            `kept_requests`, which had not come to rest there, and of `kept_calls` (seqs), which were open.
    Units:  `first_at_us` and `last_at_us` are the instants of the first and of the last event.
    Source: `adapters.archive`, through the inbox.
    """

    kind: ClassVar[str] = "segment_archived.v1"
    first_seq: int
    last_seq: int
    first_at_us: int
    last_at_us: int
    previous_chain: str
    chain: str
    folder: str
    file: str
    size: int
    sha256: str
    fold_version: int
    base_sha256: str
    kept_requests: tuple[str, ...] = ()
    kept_calls: tuple[int, ...] = ()
    actor: str
    reason: str
