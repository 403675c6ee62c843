"""Computations that requests share: one at a time, and never one that is older than the question."""

import asyncio
import threading

from service.web.sharing import Shared


def test_callers_at_the_same_time_share_the_run_that_follows() -> None:
    """The run under way began before most of them asked, so it cannot answer them."""
    begun, release, runs = threading.Event(), threading.Event(), list[int]()

    def compute() -> int:
        runs.append(len(runs))
        begun.set()
        assert release.wait(60)
        return runs[-1]

    async def ask() -> list[int]:
        shared = Shared(compute)
        first = asyncio.create_task(shared.get())
        await asyncio.to_thread(begun.wait, 60)
        others = [asyncio.create_task(shared.get()) for _ in range(20)]
        await asyncio.sleep(0)
        release.set()
        return [await first, *[await one for one in others], await shared.get()]

    assert asyncio.run(ask()) == [0, *[1] * 20, 2]


def test_failed_run_is_no_result() -> None:
    outcomes = [ValueError("first"), None]

    def compute() -> str:
        if (outcome := outcomes.pop(0)) is not None:
            raise outcome
        return "second"

    async def ask() -> list[object]:
        shared = Shared(compute)
        return [*await asyncio.gather(shared.get(), return_exceptions=True), await shared.get()]

    failed, result = asyncio.run(ask())
    assert isinstance(failed, ValueError)
    assert result == "second"
