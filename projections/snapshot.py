"""A standing as bytes and back, exactly: what was folded up to a place in the log need not be folded again.

Layout: the length of the head (8 bytes), the head (JSON, everything but the lanes' words), then the words of all lanes;
numbers are little-endian. While a drill runs, the words of the lanes as they would be without it follow. A snapshot is
a cache like a block: of another fold version, or broken, it is not used.
"""

from collections.abc import Mapping
from struct import Struct, pack
from struct import error as StructError  # noqa: N812 - the module's only error, named like a function.
from typing import Any, Final

from pydantic_core import from_json, to_json

from understudy.events.calls import CallStarted
from understudy.events.policy import Policy
from understudy.projections.lanes import Lanes
from understudy.projections.open_call import OpenCall
from understudy.projections.rest import beliefs, rest_of, standing_of
from understudy.projections.standing import FOLD_VERSION, Standing

_LENGTH: Final = Struct("<q")
_WORD: Final = Struct("<q")


class BrokenSnapshot(ValueError):
    """Bytes that are no snapshot of this version of the fold: fold from the start, or from an older one."""


def dump_standing(standing: Standing) -> bytes:
    """The standing as bytes; equal standings give equal bytes."""
    lanes = standing.lanes
    state = lanes.state if lanes.undrilled is None else lanes.state + lanes.undrilled.state
    head = to_json(
        {
            **rest_of(standing),
            "fold_version": FOLD_VERSION,
            "policy": standing.policy,
            "keys": lanes.keys,
            "calls": [(seq, *call) for seq, call in standing.calls.items()],
            "stock": standing.stock,
        }
    )
    return _LENGTH.pack(len(head)) + head + pack(f"<{len(state)}q", *state)


def load_standing(content: bytes) -> Standing:
    """The standing that was dumped; from here on it folds as the dumped one would.

    Errors: BrokenSnapshot for another fold version, or bytes that are no snapshot.
    """
    try:
        (length,) = _LENGTH.unpack_from(content)
        head = from_json(content[_LENGTH.size : _LENGTH.size + length])
        if head["fold_version"] != FOLD_VERSION:
            raise BrokenSnapshot(f"a snapshot of fold version {head['fold_version']}, not {FOLD_VERSION}")
        return _standing(head, words=content[_LENGTH.size + length :])
    except (StructError, KeyError, TypeError, ValueError) as error:
        raise BrokenSnapshot(f"not a snapshot that can be read: {error}") from error


def _standing(head: Mapping[str, Any], *, words: bytes) -> Standing:
    policy = Policy.model_validate(head["policy"])
    state = [word for (word,) in _WORD.iter_unpack(words)]
    drilled = head["drills"]
    own = len(state) // 2 if drilled else len(state)
    return standing_of(
        head,
        policy=policy,
        lanes=Lanes.restored(
            policy, keys=map(tuple, head["keys"]), state=state[:own], drilled=drilled, undrilled=state[own:]
        ),
        calls={
            seq: OpenCall(lane, started_us, CallStarted.of(started)) for seq, lane, started_us, started in head["calls"]
        },
        stock=beliefs(head["stock"]),
    )
