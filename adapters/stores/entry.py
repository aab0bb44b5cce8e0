"""An event between its append and the disk."""

from collections.abc import Sequence
from typing import NamedTuple

from understudy.events.log import SideWrite
from understudy.events.row import Row


class Entry(NamedTuple):
    """An event on its way to the disk, with what is to be written together with it."""

    row: Row
    chain: bytes
    side: Sequence[SideWrite]
