"""A real PostgreSQL: one server and one migrated template a run, one database a test."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from sqlalchemy import select

from service.access.repository import create_key
from service.access.tables import Workspace
from service.app import create_app
from service.blobs import folder_of
from service.bundles.classifying import ClassifyPredictor
from service.database.embedded import embedded_url, stop_embedded
from service.database.engine import Database, connect
from service.database.roles import SERVER, serve_as
from service.ledger.repository import violations
from service.settings import Settings
from tests.support.bundles import make_settings
from tests.support.databases import KEY, SharedDatabase, administer, make_template
from tests.support.issuer import LocalIssuer
from tests.support.kept import KeptWatch
from tests.support.ordering import open_budget, place
from tests.support.orders import Planned, make_plan


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Return the URL of a PostgreSQL of our own; durability is off here and tested elsewhere."""
    # Not below pytest's folder: another run closes that to the server's own system user.
    with TemporaryDirectory(prefix="loupe-", ignore_cleanup_errors=True) as folder:
        url = embedded_url(Path(folder))
        administer(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        yield url
        stop_embedded(Path(folder))


@pytest.fixture(scope="session")
def template(server: str) -> str:
    """Return the name of a database at the newest migration, with one workspace and one key, to copy."""
    return make_template(server, "loupe_template")


@pytest.fixture(scope="session")
def shared_database(server: str, template: str) -> SharedDatabase:
    """Return the database that the tests of this process use in turn; it ends with the server."""
    return SharedDatabase(server, template)


@pytest.fixture
def database_url(shared_database: SharedDatabase) -> Iterator[str]:
    """Return the URL of a database equal to the template; after the test its books must be right."""
    url = shared_database.url()
    try:
        yield url
        assert broken_invariants(url) == []
    finally:
        shared_database.put_back()


def broken_invariants(url: str) -> list[tuple[str, str]]:
    database = connect(url)
    with database.sessions() as session:
        found = violations(session)
    database.engine.dispose()
    return found


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Connect as the owner of the database: to arrange, inspect and tamper."""
    database = connect(database_url)
    yield database
    database.engine.dispose()


@pytest.fixture
def workspace_id(database: Database) -> UUID:
    """Return the workspace that KEY opens."""
    with database.sessions() as session:
        return session.scalars(select(Workspace.id)).one()


@pytest.fixture
def serving_url(database_url: str) -> str:
    """Return the URL of the database for the serving role, which cannot bypass the ledger."""
    return serve_as(database_url, SERVER)


@pytest.fixture
def settings(serving_url: str, bundle_folder: Path, tmp_path: Path) -> Settings:
    """Configure an app on the test's database, as the serving role, with the tiny bundle."""
    return make_settings(tmp_path, database_url=serving_url, bundles=bundle_folder.parent, api_key=KEY)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """Connect to the whole application, with a key."""
    with TestClient(create_app(settings), headers={"Authorization": f"Bearer {KEY}"}) as client:
        yield client


@pytest.fixture
def watched(client: TestClient, database: Database, workspace_id: UUID) -> Iterator[KeptWatch]:
    """Compare kept figures with fresh ones after every request that writes, and at the end of the test."""
    watch = KeptWatch(database, workspace_id)
    client.event_hooks["response"].append(watch.after)
    yield watch
    client.event_hooks["response"].remove(watch.after)
    watch.compare()
    assert watch.changes > 0


@pytest.fixture
def spread_utilities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the real networks, but spread their answers over 0..1: random weights may all agree."""
    ask = ClassifyPredictor.utilities

    def spread(predictor: ClassifyPredictor, lr: NDArray[np.uint8]) -> NDArray[np.float32]:
        said = ask(predictor, lr)
        return np.random.default_rng(11).random(said.shape).astype(np.float32)

    monkeypatch.setattr(ClassifyPredictor, "utilities", spread)


@pytest.fixture
def own_blobs(settings: Settings, workspace_id: UUID) -> Path:
    """Return the folder of the workspace's stored files."""
    return folder_of(settings.blobs, workspace_id)


@pytest.fixture
def plan(database: Database, workspace_id: UUID, settings: Settings) -> Planned:
    """Store a plan of three patches in two tiles, at 10.00 USD."""
    with database.sessions.begin() as session:
        return make_plan(session, workspace_id, settings.blobs)


@pytest.fixture
def budget(client: TestClient) -> str:
    """Open the only budget, of 100.00 USD."""
    return open_budget(client)


@pytest.fixture
def order(client: TestClient, plan: Planned, budget: str) -> str:  # noqa: ARG001  (it pays)
    """Order the plan; nothing is delivered yet."""
    return str(place(client, plan).json()["id"])


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    """Start an OpenID Connect provider on loopback."""
    issuer = LocalIssuer()
    yield issuer
    issuer.close()


@pytest.fixture
def signing_in(settings: Settings, issuer: LocalIssuer) -> Settings:
    """Configure an app that accepts the issuer's tokens, and whose people are those who were added."""
    return settings.model_copy(update=issuer.settings())


@pytest.fixture
def colleague(database: Database, workspace_id: UUID) -> dict[str, str]:
    """Return headers with another key of the same workspace."""
    with database.sessions.begin() as session:
        key = create_key(session, session.get_one(Workspace, workspace_id), "colleague")
    return {"Authorization": f"Bearer {key}"}
