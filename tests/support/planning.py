"""Plans made through the real application, and applications with a bundle of their own."""

from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.support.bundles import make_geotiff, make_settings, write_bundle

TIFF = {"Content-Type": "image/tiff"}
KEY = "a-key-for-tests-only"


def send(client: TestClient, scene: bytes | None = None, **options: Any) -> Any:
    """POST a scene of 2 x 3 tiles, or another, and return the answer."""
    body = make_geotiff() if scene is None else scene
    return client.post("/v1/plans", content=body, headers=TIFF, params=options)


def plan(client: TestClient, scene: bytes | None = None, **options: Any) -> dict[str, Any]:
    """Plan a scene and return the plan."""
    answer = send(client, scene, **options)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def bought(made: dict[str, Any]) -> set[tuple[int, int]]:
    """Return the pairs of tile and patch that a plan buys."""
    return {(tile["tile"], patch) for tile in made["tiles"] for patch in tile["buy"]}


def app_with(folder: Path, settings: Settings, **manifest: object) -> TestClient:
    """Return a client of the application of `settings`, with one bundle, written below `folder`."""
    write_bundle(folder / "only", **manifest)
    own = make_settings(
        settings.home,
        database_url=settings.database_url,
        bundles=folder,
        api_key=KEY,
    )
    return TestClient(create_app(own), headers={"Authorization": f"Bearer {KEY}"})
