"""Hosts: unknown ones are refused, and no answer repeats the one that a client claims."""

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from service.web.hosts import host_of, without_host
from tests.support.databases import KEY
from tests.support.ordering import code


@pytest.mark.parametrize("path", ["/v1/plans/", "/dashboard"])
def test_redirect_ignores_the_header_host(client: TestClient, path: str) -> None:
    answer = client.get(path, headers={"Host": "evil.example"}, follow_redirects=False)

    assert answer.status_code in {303, 307}
    assert answer.headers["location"].startswith(("/v1/plans", "/dashboard/login"))
    assert "evil.example" not in str(answer.headers)


def test_links_ignore_the_header_host(client: TestClient) -> None:
    answer = client.get("/v1/price-lists?limit=1", headers={"Host": "evil.example"})
    assert "evil.example" not in answer.text + str(answer.headers)
    assert any(link["rel"] == "next" for link in answer.json()["links"])


def test_only_trusted_hosts_are_served(settings: Settings) -> None:
    own = settings.model_copy(update={"trusted_hosts": frozenset({"loupe.example"})})
    with TestClient(create_app(own), headers={"Authorization": f"Bearer {KEY}"}) as client:
        statuses = {
            host: client.get("/v1/budgets", headers={"Host": host}).status_code
            for host in ("loupe.example", "LOUPE.example:8443", "evil.example", "loupe.example@evil.example")
        }
        refused = client.get("/v1/budgets", headers={"Host": "evil.example"})
        alive = client.get("/healthz", headers={"Host": "10.0.0.7:8000"})
    assert statuses == {
        "loupe.example": 200,
        "LOUPE.example:8443": 200,
        "evil.example": 421,
        "loupe.example@evil.example": 421,
    }
    assert code(refused) == (421, "host-unknown")
    assert alive.status_code == 200


@pytest.mark.parametrize(
    ("given", "host"),
    [("loupe.example", "loupe.example"), ("[::1]:8000", "::1"), ("", ""), ("a@b", ""), ("[::1", "")],
)
def test_host_is_read_without_its_port(given: str, host: str) -> None:
    assert host_of({"type": "http", "headers": [(b"host", given.encode())]}) == host


@pytest.mark.parametrize(
    ("address", "left"),
    [
        ("http://evil.example/v1/plans?limit=1", "/v1/plans?limit=1"),
        ("/dashboard", "/dashboard"),
        ("https://evil.example", "/"),
    ],
)
def test_address_without_host_keeps_path_and_query(address: str, left: str) -> None:
    assert without_host(address) == left
