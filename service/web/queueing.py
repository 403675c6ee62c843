"""A fair, bounded queue: owners take turns, however much one of them sends. Used on one event loop only."""

import asyncio
from collections import Counter, deque
from collections.abc import Hashable
from dataclasses import dataclass, field

from service.errors import UnavailableError

Owner = Hashable
"""The one that places are shared out by, such as the id of a workspace."""


class BusyError(UnavailableError):
    """A request that finds the queue full. It is refused at once and may be repeated."""

    code = "busy"
    title = "The server is busy"


@dataclass(frozen=True, kw_only=True)
class Room:
    """Places of a queue and the units that wait for them, in all and for each owner."""

    places: int
    places_each: int
    waiting: int
    waiting_each: int
    owner: str = "workspace"
    """Word for an owner in the sentence of an error."""


@dataclass(eq=False)
class Place:
    """A place that was asked for: `granted` ends when it is free. `units` says how much it takes."""

    owner: Owner
    units: int
    granted: asyncio.Future[None] = field(repr=False)

    @property
    def taken(self) -> bool:
        """Whether the place was granted."""
        return self.granted.done() and not self.granted.cancelled()


class FairQueue:
    """Places that owners take in turn: the next free one goes to the owner that was served longest ago."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._taken: Counter[Owner] = Counter()
        self._waiting: dict[Owner, deque[Place]] = {}
        """Owners that wait, the one that was served longest ago first."""

    def ask(self, owner: Owner, units: int = 1) -> Place:
        """Ask for a place, at once or when it comes to be free; BusyError when too many wait already.

        A place larger than all of an owner is given what an owner can have.
        """
        place = Place(
            owner=owner,
            units=min(units, self._room.places_each),
            granted=asyncio.get_running_loop().create_future(),
        )
        queue = self._waiting.get(owner, ())
        if not queue and self._next() is None and self._may_have(place) and self._has_room(place):
            self._grant(place)
            return place
        if len(queue) >= self._room.waiting_each or self._count_waiting() >= self._room.waiting:
            raise BusyError(
                f"{len(queue)} requests of this {self._room.owner} wait already, of {self._count_waiting()} "
                "in all. Send the request again in a moment.",
                waiting=len(queue),
            )
        self._waiting.setdefault(owner, deque()).append(place)
        return place

    def give_back(self, place: Place) -> None:
        """Give a place back that was granted, or stop waiting for it."""
        if place.taken:
            self._taken[place.owner] -= place.units
            self._taken += Counter()  # forgets owners without a place
        elif place in (queue := self._waiting.get(place.owner, deque())):
            queue.remove(place)
            self._forget_if_empty(place.owner)
        self._serve()

    def _serve(self) -> None:
        """Grant free places in turn, until the next one in line finds too few of them."""
        while (place := self._next()) is not None and self._has_room(place):
            queue = self._waiting.pop(place.owner)
            queue.popleft()
            if not place.granted.cancelled():  # by a caller who is gone and has not yet given it back
                self._grant(place)
            if queue:
                self._waiting[place.owner] = queue  # at the end of the line

    def _next(self) -> Place | None:
        """Return the first place in line whose owner may have more; the owners that may not are passed."""
        return next((queue[0] for queue in self._waiting.values() if self._may_have(queue[0])), None)

    def _may_have(self, place: Place) -> bool:
        return self._taken[place.owner] + place.units <= self._room.places_each

    def _has_room(self, place: Place) -> bool:
        return self._taken.total() + place.units <= self._room.places

    def _grant(self, place: Place) -> None:
        self._taken[place.owner] += place.units
        place.granted.set_result(None)

    def _count_waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    def _forget_if_empty(self, owner: Owner) -> None:
        if not self._waiting[owner]:
            del self._waiting[owner]
