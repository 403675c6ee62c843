"""Upgrades of a database cluster: what its roles lack is named, and several databases upgrade at once."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import text

from service.access.repository import create_workspace
from service.database.embedded import embedded_url, stop_embedded
from service.database.engine import connect, upgrade
from service.database.roles import SERVER, excess_privileges, let_serve, serve_as
from service.errors import UnavailableError
from service.ledger import writer
from service.ledger.repository import violations
from tests.support.databases import administer, url_of
from tests.support.money import cents


@pytest.fixture
def cluster() -> Iterator[str]:
    """Start a PostgreSQL that has none of the roles yet; yield its URL as superuser."""
    with TemporaryDirectory(prefix="loupe-", ignore_cleanup_errors=True) as folder:
        yield embedded_url(Path(folder))
        stop_embedded(Path(folder))


def test_upgrade_names_an_owner_that_cannot_create_roles(cluster: str) -> None:
    administer(cluster, "CREATE ROLE operator LOGIN", "CREATE DATABASE books OWNER operator")
    url = serve_as(url_of(cluster, "books"), "operator")

    with pytest.raises(UnavailableError, match="operator may not create roles") as told:
        upgrade(url)

    administer(cluster, *(f"{one};" for one in told.value.detail.split("run: ")[1].split(";") if one.strip()))
    upgrade(url)


def test_upgrade_names_a_role_that_has_too_many_privileges(cluster: str) -> None:
    administer(cluster, "CREATE ROLE loupe_owner", "CREATE ROLE loupe_app LOGIN", "CREATE DATABASE books")

    with pytest.raises(UnavailableError, match="loupe_app has too many privileges") as refusal:
        upgrade(url_of(cluster, "books"))

    administer(cluster, refusal.value.detail.split("run: ")[1])
    upgrade(url_of(cluster, "books"))


def test_upgrade_names_a_role_that_is_not_a_member_of_the_owner(cluster: str) -> None:
    roles = ("CREATE ROLE loupe_owner", "CREATE ROLE loupe_app", "CREATE ROLE operator LOGIN")
    administer(cluster, *roles, "CREATE DATABASE books OWNER operator")
    url = serve_as(url_of(cluster, "books"), "operator")

    with pytest.raises(UnavailableError, match="operator is not a member of loupe_owner") as refusal:
        upgrade(url)

    administer(cluster, refusal.value.detail.split("run: ")[1])
    upgrade(url)


def test_upgrade_quotes_any_other_refusal_of_the_database(cluster: str) -> None:
    administer(cluster, "CREATE ROLE stranger LOGIN", "CREATE DATABASE books")

    with pytest.raises(UnavailableError, match=r'refuses with "permission denied .*"\. Migrate as the owner'):
        upgrade(serve_as(url_of(cluster, "books"), "stranger"))


def test_owner_without_superuser_migrates_and_lets_another_serve(cluster: str) -> None:
    administer(cluster, "CREATE ROLE operator LOGIN CREATEROLE", "CREATE DATABASE books OWNER operator")
    url = serve_as(url_of(cluster, "books"), "operator")

    upgrade(url)
    upgrade(url)
    for _ in range(2):  # safe to repeat
        let_serve(url, "server", "a password")

    served, owner = connect(serve_as(url, "server")), connect(url)
    assert excess_privileges(served.engine) == excess_privileges(owner.engine, "server") == []
    ways = [way.split(" ledger.")[0] for way in excess_privileges(owner.engine)]
    assert ways == ["it may create roles", "it owns"]
    with served.of_all().sessions.begin() as session:
        workspace = create_workspace(session, "theirs")
        writer.create_budget(session, workspace.id, "books", cents(100))
        assert violations(session) == []
    with owner.sessions() as session:
        kept = text("SELECT rolpassword IS NULL FROM pg_roles WHERE rolname = 'server'")
        assert session.execute(kept).scalar_one() is False
    for database in (served, owner):
        database.engine.dispose()


def test_databases_of_one_cluster_migrate_concurrently(cluster: str) -> None:
    names = [f"books_{number}" for number in range(4)]
    administer(cluster, *(f"CREATE DATABASE {name}" for name in names))

    with ProcessPoolExecutor(len(names), mp_context=get_context("spawn")) as pool:
        list(pool.map(upgrade, [url_of(cluster, name) for name in names]))
        list(pool.map(let_serve, [url_of(cluster, name) for name in names], [SERVER] * len(names)))

    for name in names:
        served = connect(serve_as(url_of(cluster, name), SERVER))
        assert excess_privileges(served.engine) == []
        served.engine.dispose()
