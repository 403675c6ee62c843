"""The API obeys its OpenAPI document: schemathesis finds nothing as any role. `make prove-api` tries more."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.access.roles import Role
from tests.contract.running import SHORT, UNLIMITED, Things, check_as, make_things
from tests.support.server import ServerProcess, running_server


@pytest.fixture(scope="module")
def server(bundle_folder: Path) -> Iterator[ServerProcess]:
    with running_server(bundle_folder, None, **UNLIMITED) as process:
        yield process


@pytest.fixture(scope="module")
def things(server: ServerProcess) -> Things:
    with server.client() as client:
        return make_things(client)


@pytest.mark.parametrize("role", Role)
def test_every_answer_is_the_documented_one(server: ServerProcess, things: Things, role: Role) -> None:
    found = check_as(server, role, SHORT, things)

    assert found.passed, found.output
    assert "generated" in found.output
