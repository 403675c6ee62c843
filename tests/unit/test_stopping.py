"""Stops: reasons, deadlines, calls, and the threads that run under them."""

import contextvars
import threading

import pytest

from service.stopping import (
    CallerGoneError,
    ServerStoppingError,
    Stop,
    TakesTooLongError,
    checkpoint,
    current_stop,
    under,
)

GONE = CallerGoneError("The client has gone.")


def test_checkpoint_passes_without_a_stop() -> None:
    checkpoint()
    current_stop().end(GONE)
    checkpoint()


def test_checkpoint_raises_the_first_reason() -> None:
    stop = Stop()
    with under(stop):
        checkpoint()
        stop.end(GONE)
        stop.end(ServerStoppingError("The server is stopping."))
        with pytest.raises(CallerGoneError):
            checkpoint()
    checkpoint()


def test_deadline_names_its_seconds() -> None:
    with under(Stop(seconds=0)), pytest.raises(TakesTooLongError, match="stopped after 0 s"):
        checkpoint()
    with under(Stop(seconds=3600)):
        checkpoint()


def test_stop_holds_in_threads_that_take_the_context_along() -> None:
    seen: list[Stop] = []
    stop = Stop()
    with under(stop):
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(lambda: seen.append(current_stop()),))
        thread.start()
        thread.join()
    assert seen == [stop]


def test_calling_calls_once_and_only_during_the_block() -> None:
    calls: list[str] = []
    stop = Stop()
    with stop.calling(lambda: calls.append("early")):
        pass
    with stop.calling(lambda: calls.append("during")):
        stop.end(GONE)
        stop.end(GONE)
    with stop.calling(lambda: calls.append("late")):
        assert calls == ["during", "late"]
