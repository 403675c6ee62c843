"""Warnings in the log: clients cannot fill it with them, and no error is left out."""

import io
import logging
from collections.abc import Iterator

import pytest

from service.bounded_warnings import LINES, WINDOW_S, BoundedWarnings


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def written() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(clock: Clock, written: io.StringIO) -> Iterator[logging.Logger]:
    handler = logging.StreamHandler(written)
    handler.addFilter(BoundedWarnings(clock))
    log = logging.Logger("of this test")
    log.addHandler(handler)
    yield log
    handler.close()


def repeat(log: logging.Logger, times: int) -> None:
    for number in range(times):
        log.warning("malformed %d", number)


def test_warnings_of_one_place_are_bounded_and_the_others_counted(
    log: logging.Logger, written: io.StringIO, clock: Clock
) -> None:
    repeat(log, 1_000)
    lines = written.getvalue().splitlines()
    assert len(lines) == LINES
    assert lines[0] == "malformed 0"
    assert lines[-1] == f"malformed {LINES - 1} [More such lines are left out for 60 s.]"

    clock.now = WINDOW_S
    repeat(log, 2)
    after = written.getvalue().splitlines()[LINES:]
    assert after == [f"malformed 0 [{1_000 - LINES} such lines were left out before.]", "malformed 1"]


def test_other_places_and_errors_pass_while_one_place_is_left_out(
    log: logging.Logger, written: io.StringIO
) -> None:
    repeat(log, 1_000)
    log.warning("something else")
    for _ in range(2 * LINES):
        log.error("failed")

    lines = written.getvalue().splitlines()[LINES:]
    assert lines == ["something else", *["failed"] * 2 * LINES]
