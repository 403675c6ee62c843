"""Turns to compute: however many requests arrive, the others find a thread, a decoder and a core to run on.

A workspace has only some of the turns, and they are given out in rotation. A request that computes is stopped
between two steps when its client has gone, at its deadline, and when the server ends.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request

from service.metrics import QUEUE_SECONDS
from service.settings import Settings
from service.stopping import CallerGoneError, ServerStoppingError, Stop, under
from service.web.queueing import FairQueue, Owner, Place, Room

LARGE = Room(places=2, places_each=1, waiting=32, waiting_each=8)
"""Requests that decode a file of up to 1 GiB of pixels."""


@dataclass(frozen=True)
class Turns:
    """The queues of one server, and the Stops of the requests that compute."""

    usual: FairQueue
    large: FairQueue
    counting: FairQueue
    """Requests that count orders: a page of figures does not wait for the plans of its workspace."""
    seconds: float
    """Longest computation of one request."""
    running: set[Stop] = field(default_factory=set)

    @classmethod
    def of(cls, settings: Settings) -> "Turns":
        """Make the queues that the settings describe."""
        usual = Room(
            places=settings.computing_at_once,
            places_each=settings.computing_each,
            waiting=settings.waiting,
            waiting_each=settings.waiting_each,
        )
        return cls(FairQueue(usual), FairQueue(LARGE), FairQueue(usual), settings.request_seconds)

    def end_all(self) -> None:
        """Stop every request that computes or waits, because the server ends."""
        reason = ServerStoppingError("The server is stopping. Send the request again in a moment.")
        for stop in list(self.running):
            stop.end(reason)

    @asynccontextmanager
    async def turn(self, request: Request, queue: FairQueue) -> AsyncIterator[None]:
        """Wait, without a thread or a connection, for a turn, and hold it during the block."""
        stop = Stop(self.seconds)
        self.running.add(stop)
        watching = asyncio.create_task(_end_when_gone(request, stop))
        place = None
        try:
            with QUEUE_SECONDS.time():
                place = queue.ask(owner_of(request))
                await _wait_for(place, stop)
            with under(stop):
                yield
        finally:
            self.running.discard(stop)
            watching.cancel()
            if place is not None:
                queue.give_back(place)


def owner_of(request: Request) -> Owner:
    """Return the workspace of a request, which its authentication noted; None before."""
    return getattr(request.state, "workspace_id", None)


async def _wait_for(place: Place, stop: Stop) -> None:
    """Wait until the place is granted; raise the reason when the request is stopped before."""
    loop = asyncio.get_running_loop()
    with stop.calling(lambda: loop.call_soon_threadsafe(place.granted.cancel)):
        try:
            await place.granted
        except asyncio.CancelledError:
            stop.check()
            raise


async def _end_when_gone(request: Request, stop: Stop) -> None:
    """Stop the computation when the client closes its connection. The body must have been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    stop.end(CallerGoneError("The client closed the connection before the answer was ready."))


async def take_turn(request: Request) -> AsyncIterator[None]:
    """Wait until the request may compute; give the turn up at its end. BusyError (503) if too many wait."""
    turns = cast(Turns, request.state.turns)
    async with turns.turn(request, turns.usual):
        yield


# scope="function": the turn ends with the computation, not with a client that reads its answer slowly.
# A route lists it after its upload, so that a body that arrives slowly takes no turn.
TurnDep = Annotated[None, Depends(take_turn, scope="function")]


async def take_counting_turn(request: Request) -> AsyncIterator[None]:
    """Wait until the request may count orders; BusyError (503) if too many wait."""
    turns = cast(Turns, request.state.turns)
    async with turns.turn(request, turns.counting):
        yield


CountingTurnDep = Annotated[None, Depends(take_counting_turn, scope="function")]


async def take_large_turn(request: Request) -> AsyncIterator[None]:
    """Wait until the request may decode a large file; BusyError (503) if too many wait."""
    turns = cast(Turns, request.state.turns)
    async with turns.turn(request, turns.large):
        yield


LargeTurnDep = Annotated[None, Depends(take_large_turn, scope="function")]
