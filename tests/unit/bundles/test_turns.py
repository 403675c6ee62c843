"""Turns of scenes on one device: in the order of asking, and none for a request that was stopped."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from torch import Tensor

from service.bundles.classifying import ClassifyPredictor
from service.bundles.predictor import FairLock, Pixels
from service.stopping import CallerGoneError, Stop, under
from tests.support.bundles import LR_SIZE, hold, make_bundle
from tests.support.waiting import eventually


def test_lock_goes_to_who_asked_first() -> None:
    """A scene of many batches asks again at once; the one that waits must come before its next batch."""
    lock, order = FairLock(), list[str]()
    many_asked = threading.Event()

    def one() -> None:
        with lock:
            order.append("one")

    def many() -> None:
        for batch in range(3):
            with lock:
                order.append(f"batch {batch}")
                many_asked.set()
                if batch == 0:
                    eventually(lambda: len(lock._waiting) == 1)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(many)
        assert many_asked.wait(60)
        second = pool.submit(one)
        first.result()
        second.result()

    assert order == ["batch 0", "one", "batch 1", "batch 2"]


def test_prediction_ends_between_two_batches_of_a_stopped_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    predictor = hold(make_bundle())
    predictor.batch = 2
    tiles = np.zeros((6, 3, LR_SIZE, LR_SIZE), np.uint8)
    stop, batches = Stop(), list[int]()
    prepare = ClassifyPredictor._input

    def counted(self: ClassifyPredictor, pixels: Pixels) -> Tensor:
        batches.append(len(pixels))
        if len(batches) == 2:
            stop.end(CallerGoneError("The client has gone."))
        return prepare(self, pixels)

    monkeypatch.setattr(ClassifyPredictor, "_input", counted)
    with under(stop), pytest.raises(CallerGoneError):
        predictor.utilities(tiles)
    assert batches == [2, 2]
