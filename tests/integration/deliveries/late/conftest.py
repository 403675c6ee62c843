"""An order that expired before all of its patches came."""

import pytest
from fastapi.testclient import TestClient

from service.database.engine import Database
from tests.support.late import expire
from tests.support.ordering import (
    deliver,
    plan_scene,
    publish_prices,
)
from tests.support.orders import Planned


@pytest.fixture
def plan(client: TestClient) -> Planned:
    """Return a plan that buys three patches at prices without a minimum."""
    publish_prices(client)
    return plan_scene(client, reuse="none")


@pytest.fixture
def expired(client: TestClient, order: str, plan: Planned, database: Database) -> str:
    """Return an expired order, of which one of three patches came."""
    assert deliver(client, order, *plan.bought[0]).status_code == 201
    return expire(database, order)
