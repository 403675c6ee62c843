"""A browser without a key, and what it looks at."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.support.ordering import buy, open_budget, plan_scene, publish_prices
from tests.support.orders import Planned


@pytest.fixture
def browser(settings: Settings) -> Iterator[TestClient]:
    """Return a client without an Authorization header that does not follow redirects."""
    headers = {"Accept": "text/html,application/xhtml+xml"}
    with TestClient(create_app(settings), headers=headers, follow_redirects=False) as browser:
        yield browser


@pytest.fixture
def priced(client: TestClient) -> None:
    """Publish a price list."""
    publish_prices(client)


@pytest.fixture
def planned(client: TestClient) -> Planned:
    """Return the plan of a scene at the prices of a published list."""
    publish_prices(client)
    return plan_scene(client)


@pytest.fixture
def orders(client: TestClient) -> list[str]:
    """Return a complete order of the team north at Acme, and a refunded one of the team south elsewhere."""
    publish_prices(client)
    publish_prices(client, "other", provider="Other")
    first = open_budget(client, name="First", tags={"team": "north"})
    second = open_budget(client, name="Second", tags={"team": "south"})
    north = buy(client, plan_scene(client), budget=first)
    south = buy(client, plan_scene(client, price_list="other", reuse="none"), budget=second)
    refund = {
        "kind": "refund", "order": south, "amount": {"amount": "1.00", "currency": "USD"}, "reason": "cloud",
    }  # fmt: skip
    answer = client.post("/v1/ledger/adjustments", json=refund, headers={"Idempotency-Key": str(uuid4())})
    assert answer.status_code == 201, answer.text
    return [north, south]
