"""Memory for the bodies of uploads: a body waits, unread, until its key and workspace have room for it."""

from dataclasses import dataclass
from typing import cast

from starlette.types import Scope

from service.settings import Settings
from service.web.queueing import FairQueue, Place, Room

UNIT = 64 * 1024
"""Bytes of memory that a unit of the queues stands for."""


@dataclass(frozen=True, kw_only=True)
class BodyQueues:
    """The queues for the memory of one server: a body passes that of its key, then that of its workspace.

    Uploads of one key that stall so leave room for the other keys of the workspace.
    """

    keys: FairQueue
    workspaces: FairQueue

    @classmethod
    def of(cls, settings: Settings) -> "BodyQueues":
        """Make the queues. A workspace has half of the memory, and a key half of that."""
        units = settings.body_memory // UNIT
        room = Room(
            places=units,
            places_each=max(1, units // 2),
            waiting=settings.waiting,
            waiting_each=settings.waiting_each,
        )
        # The memory is shared out among workspaces, so this queue bounds nothing but the share of each key.
        share = Room(
            places=units * settings.connections,
            places_each=max(1, units // 4),
            waiting=settings.connections,
            waiting_each=settings.waiting_each,
            owner="key",
        )
        return cls(keys=FairQueue(share), workspaces=FairQueue(room))


class BodyRoom:
    """The memory that the body of one request takes, from its first byte to the end of the request."""

    def __init__(self, scope: Scope, size: int) -> None:
        self._scope, self._size = scope, size
        self._places: list[tuple[FairQueue, Place]] = []

    async def take(self) -> None:
        """Wait for the memory before the body is read; BusyError (503) when too many wait already."""
        if self._places:
            return
        state = self._scope["state"]
        queues = cast(BodyQueues, state["bodies"])
        lines = (queues.keys, state.get("key_id")), (queues.workspaces, state.get("workspace_id"))
        for queue, owner in lines:
            place = queue.ask(owner, -(-self._size // UNIT))
            self._places.append((queue, place))
            await place.granted

    def give_back(self) -> None:
        """Give the memory back, if any was asked for."""
        for queue, place in reversed(self._places):
            queue.give_back(place)
        self._places.clear()
