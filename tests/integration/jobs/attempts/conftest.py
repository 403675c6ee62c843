"""An application without a worker: the tests make the attempts."""

from collections.abc import Iterator
from typing import Any, cast
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from service.app import State, create_app, office_of
from service.bundles.classifying import ClassifyPredictor
from service.jobs import running
from service.jobs.running import Office
from service.settings import Settings
from tests.support.databases import KEY
from tests.support.jobs import plan_later
from tests.support.ordering import publish_prices

Json = dict[str, Any]


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """Connect to an application without a worker: the tests make the attempts."""
    with TestClient(create_app(settings), headers={"Authorization": f"Bearer {KEY}"}) as client:
        publish_prices(client)
        yield client


@pytest.fixture
def office(client: TestClient) -> Office:
    return office_of(cast(State, client.app_state))


@pytest.fixture
def job_id(client: TestClient) -> UUID:
    return UUID(plan_later(client).json()["id"])


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write progress and look for a cancellation often, and let the networks see one tile at a time."""
    monkeypatch.setattr(running, "NOTED_EVERY_S", 0.01)
    build = ClassifyPredictor.__init__

    def one_by_one(predictor: ClassifyPredictor, *args: Any) -> None:
        build(predictor, *args)
        predictor.batch = 1

    monkeypatch.setattr(ClassifyPredictor, "__init__", one_by_one)
