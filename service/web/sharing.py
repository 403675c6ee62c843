"""Computations that requests share: however many ask at once, one runs at a time."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from fastapi.concurrency import run_in_threadpool

Result = TypeVar("Result")


class Shared(Generic[Result]):
    """A computation of which one run follows the other. A caller gets one that began after it asked."""

    def __init__(self, compute: Callable[[], Result]) -> None:
        self._compute = compute
        self._turn = asyncio.Lock()
        self._begun = 0
        self._ended: tuple[int, Result] | None = None
        """The newest run that has ended, and its result."""

    async def get(self) -> Result:
        """Return the result of the next run, which others may have begun to wait for."""
        asked = self._begun
        async with self._turn:
            if self._ended is None or self._ended[0] <= asked:
                self._begun += 1
                self._ended = self._begun, await run_in_threadpool(self._compute)
            return self._ended[1]
