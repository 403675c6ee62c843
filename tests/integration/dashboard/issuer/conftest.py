"""A browser that signs in at a local issuer."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from service.access.tables import ApiKey
from service.app import create_app
from service.database.engine import Database
from service.settings import Settings
from tests.support.issuer import LocalIssuer
from tests.support.people import let_in


@pytest.fixture
def browser(signing_in: Settings) -> Iterator[TestClient]:
    """Return a browser without a session that does not follow redirects."""
    with TestClient(create_app(signing_in), follow_redirects=False) as browser:
        yield browser


@pytest.fixture
def ada(database: Database, workspace_id: UUID, issuer: LocalIssuer) -> ApiKey:
    """Let a viewer in."""
    return let_in(database, workspace_id, issuer)
