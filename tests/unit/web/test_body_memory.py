"""Memory for uploads: what a key, a workspace and all together may take."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service.web.body_memory import UNIT, BodyQueues, BodyRoom
from service.web.queueing import BusyError
from tests.support.bundles import make_settings

ALL = 64 * UNIT
KEYS = {"ann": "north", "abe": "north", "amy": "north", "sue": "south", "zoe": "west"}
"""Workspace of each key."""


class Memory:
    """The memory for uploads of one server, and the bodies that have room in it."""

    def __init__(self, home: Path, waiting_each: int = 64) -> None:
        settings = make_settings(home, body_memory=ALL, waiting_each=waiting_each)
        self._queues = BodyQueues.of(settings)

    @asynccontextmanager
    async def body(self, key: str, share: float) -> AsyncIterator[bool]:
        """Send a body that takes a share of all memory; yield whether it has room."""
        state = {"bodies": self._queues, "key_id": key, "workspace_id": KEYS[key]}
        room = BodyRoom({"type": "http", "state": state}, int(share * ALL))
        taking = asyncio.create_task(room.take())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        try:
            yield taking.done() and taking.result() is None
        finally:
            taking.cancel()
            room.give_back()


def test_key_leaves_a_colleague_half_of_their_workspaces_memory(tmp_path: Path) -> None:
    async def run() -> list[bool]:
        memory = Memory(tmp_path)
        async with (
            memory.body("ann", 1 / 4) as first,
            memory.body("ann", 1 / 8) as second,
            memory.body("abe", 1 / 4) as colleague,
            memory.body("sue", 1 / 4) as stranger,
        ):
            return [first, second, colleague, stranger]

    assert asyncio.run(run()) == [True, False, True, True]


def test_workspace_leaves_others_half_of_the_memory(tmp_path: Path) -> None:
    async def run() -> list[bool]:
        memory = Memory(tmp_path)
        async with (
            memory.body("ann", 1 / 4) as first,
            memory.body("abe", 1 / 4) as second,
            memory.body("amy", 1 / 8) as third,
            memory.body("sue", 1 / 4) as stranger,
            memory.body("zoe", 1 / 4) as other,
        ):
            return [first, second, third, stranger, other]

    assert asyncio.run(run()) == [True, True, False, True, True]


def test_body_that_ends_gives_its_memory_back(tmp_path: Path) -> None:
    async def run() -> list[bool]:
        memory = Memory(tmp_path)
        found = []
        for _ in range(3):
            async with memory.body("ann", 1 / 4) as has_room:
                found.append(has_room)
            async with memory.body("ann", 1) as has_room:  # cut to what a key may have
                found.append(has_room)
        return found

    assert asyncio.run(run()) == [True] * 6


def test_too_many_waiting_bodies_of_a_key_are_refused(tmp_path: Path) -> None:
    async def run() -> None:
        memory = Memory(tmp_path, waiting_each=1)
        async with memory.body("ann", 1 / 4), memory.body("ann", 1 / 4), memory.body("ann", 1 / 4):
            pass

    with pytest.raises(BusyError, match="1 requests of this key wait already"):
        asyncio.run(run())
