"""Turns to compute: however many scenes arrive, the other requests find a thread to run on."""

from collections.abc import AsyncIterator
from typing import Annotated, cast

from anyio import Semaphore
from fastapi import Depends, Request

COMPUTING_AT_ONCE = 16
"""Requests that decode, predict, plan or render at the same time, of the 40 that have a thread."""

LARGE_AT_ONCE = 1
"""Requests that decode a file of up to 1 GiB of pixels at the same time."""


async def take_turn(request: Request) -> AsyncIterator[None]:
    """Wait, without a thread or a connection, until the request may compute; give the turn up at its end."""
    async with cast(Semaphore, request.state.turns):
        yield


# scope="function": the turn ends with the computation, not with a client that reads its answer slowly.
# A route lists it after its upload, so that a body that arrives slowly takes no turn.
TurnDep = Annotated[None, Depends(take_turn, scope="function")]


async def take_large_turn(request: Request) -> AsyncIterator[None]:
    """Wait, without a thread or a connection, until the request may decode a large file."""
    async with cast(Semaphore, request.state.large_turns):
        yield


LargeTurnDep = Annotated[None, Depends(take_large_turn, scope="function")]
