"""Requests that become jobs, and applications whose worker runs them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from fastapi.testclient import TestClient
from httpx2 import Response

from service.app import create_app
from service.settings import Settings
from tests.support.bundles import make_geotiff
from tests.support.databases import KEY
from tests.support.ordering import TIFF
from tests.support.waiting import eventually

ASYNC = {"Prefer": "respond-async"}
Json = dict[str, Any]


@contextmanager
def app_of(settings: Settings, **overrides: Any) -> Iterator[TestClient]:
    """Run an application with a worker that notices a dead one after a second, and connect to it."""
    own = settings.model_copy(update={"worker": True, "worker_silent_seconds": 1.0} | overrides)
    with TestClient(create_app(own), headers={"Authorization": f"Bearer {KEY}"}) as client:
        yield client


def plan_later(
    client: TestClient, key: str | None = None, scene: bytes | None = None, **query: Any
) -> Response:
    """Send a scene to be planned as a job."""
    headers = TIFF | ASYNC | ({} if key is None else {"Idempotency-Key": key})
    body = make_geotiff() if scene is None else scene
    params = {"price_list": "acme"} | query
    return client.post("/v1/plans", content=body, params=params, headers=headers)


def job_of(client: TestClient, answer: Response) -> Json:
    """Return a job as it is now."""
    return cast(Json, client.get(answer.headers["Location"]).json())


def ended(client: TestClient, answer: Response) -> Json:
    """Wait until a job has ended and return it."""
    eventually(lambda: "finished_at" in job_of(client, answer))
    return job_of(client, answer)


def plans(client: TestClient) -> list[str]:
    """Return the ids of all plans of the workspace."""
    return [plan["id"] for plan in client.get("/v1/plans", params={"limit": 100}).json()["items"]]
