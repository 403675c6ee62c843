"""The largest scene that is planned, within a request or as a job."""

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.support.bundles import make_geotiff
from tests.support.databases import KEY
from tests.support.ordering import TIFF, code


@pytest.mark.parametrize(("most", "status"), [(6, 201), (5, 413)])
def test_scene_of_too_many_tiles_is_refused(settings: Settings, most: int, status: int) -> None:
    own = settings.model_copy(update={"scene_tiles": most})
    with TestClient(create_app(own), headers={"Authorization": f"Bearer {KEY}"}) as client:
        answer = client.post("/v1/plans", content=make_geotiff(), headers=TIFF)  # 2 x 3 tiles
        stored = client.get("/v1/plans").json()["items"]
    assert answer.status_code == status, answer.text
    assert len(stored) == (status == 201)
    if status == 413:
        assert code(answer) == (413, "too-many-tiles")
        assert (answer.json()["tiles"], answer.json()["limit"]) == (6, 5)
