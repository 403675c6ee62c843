"""The fair queue: places in turn, bounds, and what is given back."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from service.web.queueing import BusyError, FairQueue, Place, Room


def queue(places: int = 2, places_each: int = 1, waiting: int = 9, waiting_each: int = 9) -> FairQueue:
    return FairQueue(Room(places=places, places_each=places_each, waiting=waiting, waiting_each=waiting_each))


def on_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test on an event loop; the queue needs one."""

    @functools.wraps(test)
    def run() -> None:
        asyncio.run(test())

    return run


def taken(*places: Place) -> list[bool]:
    return [place.taken for place in places]


@on_a_loop
async def test_owner_gets_at_most_its_own_places() -> None:
    fair = queue(places=3, places_each=2)
    first, second, third = (fair.ask("a") for _ in range(3))
    assert taken(first, second, third) == [True, True, False]

    other = fair.ask("b")
    assert other.taken

    fair.give_back(second)
    assert third.taken


@on_a_loop
async def test_free_places_go_to_owners_in_turn() -> None:
    fair = queue(places=1)
    held = fair.ask("a")
    line = [fair.ask(owner) for owner in ("a", "a", "b", "c", "a")]

    order = []
    for _ in line:
        fair.give_back(held)
        (held,) = (place for place in line if place.taken and place not in order)
        order.append(held)

    assert [place.owner for place in order] == ["a", "b", "c", "a", "a"]


@on_a_loop
async def test_full_queue_refuses_at_once() -> None:
    fair = queue(places=1, waiting=2, waiting_each=1)
    fair.ask("a")
    fair.ask("a")
    with pytest.raises(BusyError, match="1 requests of this workspace wait already, of 1 in all"):
        fair.ask("a")
    fair.ask("b")
    with pytest.raises(BusyError, match="0 requests of this workspace wait already, of 2 in all"):
        fair.ask("c")


@on_a_loop
async def test_giving_up_the_wait_lets_the_next_pass() -> None:
    fair = queue(places=1)
    held, impatient, patient = (fair.ask("a") for _ in range(3))
    fair.give_back(impatient)
    fair.give_back(held)
    assert taken(impatient, patient) == [False, True]
    fair.give_back(patient)
    assert fair.ask("b").taken


@on_a_loop
async def test_large_place_is_not_overtaken_for_ever() -> None:
    fair = queue(places=4, places_each=3)
    small, small_too = fair.ask("a", 1), fair.ask("b", 1)
    large = fair.ask("c", 3)
    late = fair.ask("d", 1)
    assert taken(large, late) == [False, False]
    fair.give_back(small)
    assert taken(large, late) == [True, False]
    fair.give_back(small_too)
    assert late.taken


@on_a_loop
async def test_place_larger_than_an_owner_may_have_is_cut() -> None:
    fair = queue(places=4, places_each=2)
    place = fair.ask("a", 100)
    assert (place.taken, place.units) == (True, 2)


@on_a_loop
async def test_place_of_a_caller_who_is_gone_is_passed_and_takes_nobody_s_turn() -> None:
    """A wait is cancelled some steps before its place is given back; another request may end in between."""
    fair = queue(places=1)
    first, gone, next_one = (fair.ask("a") for _ in range(3))
    gone.granted.cancel()

    fair.give_back(first)
    assert taken(gone, next_one) == [False, True]

    fair.give_back(gone)
    fair.give_back(next_one)
    assert fair.ask("a").taken


@on_a_loop
async def test_last_in_line_who_is_gone_leaves_the_place_free() -> None:
    fair = queue(places=1)
    first, gone = fair.ask("a"), fair.ask("b")
    gone.granted.cancel()
    fair.give_back(first)

    assert fair.ask("c").taken
