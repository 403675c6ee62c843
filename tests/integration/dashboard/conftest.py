"""A browser without a key."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings


@pytest.fixture
def browser(settings: Settings) -> Iterator[TestClient]:
    """Return a client without an Authorization header that does not follow redirects."""
    headers = {"Accept": "text/html,application/xhtml+xml"}
    with TestClient(create_app(settings), headers=headers, follow_redirects=False) as browser:
        yield browser
