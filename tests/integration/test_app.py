"""The application as a whole: what every request meets."""

from fastapi.testclient import TestClient


def test_is_ready_when_everything_is_there(client: TestClient) -> None:
    answer = client.get("/readyz")

    assert answer.json() == {
        "status": "ready",
        "checks": {"database": True, "migrations": True, "bundle": True, "gdal": True, "disk": True},
    }
