"""A server whose default bundle counts and has a second look."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.support.bundles import write_bundle
from tests.support.counting import write_count_bundle
from tests.support.databases import KEY
from tests.support.ordering import open_budget, publish_prices
from tests.support.rounds import LOOK


@pytest.fixture(scope="package")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write bundles that count with and without a second look, and one that classifies."""
    folder = tmp_path_factory.mktemp("bundles")
    write_count_bundle(folder / "tiny-count", second_look=LOOK)
    write_count_bundle(folder / "blind", name="blind")
    write_bundle(folder / "tiny")
    return folder


@pytest.fixture
def both_settings(settings: Settings, bundles: Path) -> Settings:
    """Configure a server with these bundles."""
    return settings.model_copy(update={"bundles": bundles, "default_bundle": "tiny-count"})


@pytest.fixture
def client(both_settings: Settings) -> Iterator[TestClient]:
    """Yield a client of this server, with prices and a budget."""
    with TestClient(create_app(both_settings), headers={"Authorization": f"Bearer {KEY}"}) as client:
        publish_prices(client)
        open_budget(client, "10000.00")
        yield client
