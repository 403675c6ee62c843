"""Scenes planned through the real application: applications with a bundle of their own, spread utilities."""

from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray

from service.app import create_app
from service.inference import Predictor
from service.settings import Settings
from tests.factories import make_settings, write_bundle

TIFF = {"Content-Type": "image/tiff"}
KEY = "a-key-for-tests-only"


def spread_over_unit_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real networks run, but what they say is spread over 0..1: random weights may all agree."""
    ask = Predictor.utilities

    def spread(predictor: Predictor, lr: NDArray[np.uint8]) -> NDArray[np.float32]:
        said = ask(predictor, lr)
        return np.random.default_rng(11).random(said.shape).astype(np.float32)

    monkeypatch.setattr(Predictor, "utilities", spread)


def app_with(folder: Path, settings: Settings, **manifest: object) -> TestClient:
    """The application of `settings`, serving a bundle written to `folder`."""
    folder.mkdir()
    own = make_settings(
        settings.home,
        database_url=settings.database_url,
        bundle=write_bundle(folder, **manifest),
        api_key=KEY,
    )
    return TestClient(create_app(own), headers={"Authorization": f"Bearer {KEY}"})
