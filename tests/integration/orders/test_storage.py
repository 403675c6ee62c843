"""The room of a workspace: files and plans beyond it are refused, and reading is not."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.database.engine import Database
from service.orders.storage import GIB, PLAN_BYTES, usage_of
from service.plans.stored import PlanCounts
from service.settings import Settings
from tests.support.bundles import LR_SIZE, make_geotiff
from tests.support.databases import KEY
from tests.support.ordering import TIFF, code, place, publish_prices
from tests.support.orders import Planned, make_patch

PIXELS = 3 * LR_SIZE**2
PATCH_PIXELS = 3 * 8**2


@contextmanager
def limited(settings: Settings, **limits: float) -> Iterator[TestClient]:
    own = settings.model_copy(update=limits)
    with TestClient(create_app(own), headers={"Authorization": f"Bearer {KEY}"}) as client:
        yield client


def test_usage_counts_scenes_tiles_plans_and_deliveries(
    client: TestClient, settings: Settings, database: Database, workspace_id: UUID
) -> None:
    counts = PlanCounts()

    def usage() -> tuple[int, int]:
        with database.sessions() as session:
            found = usage_of(session, counts, settings.blobs, workspace_id, PIXELS)
        return found.stored_bytes, found.plans

    publish_prices(client)
    assert usage() == (0, 0)
    scene = make_geotiff()  # 6 tiles
    query = {"price_list": "acme", "max_patches": "1"}
    plan = client.post("/v1/plans", content=scene, headers=TIFF, params=query).json()
    planned = len(scene) + 6 * (PIXELS + PLAN_BYTES)
    assert usage() == (planned, 1)
    client.post(f"/v1/plans/{plan['id']}/replan", json={"max_patches": 2})
    assert usage() == (planned + 6 * PLAN_BYTES, 2)


def test_delivered_file_counts(
    client: TestClient,
    settings: Settings,
    database: Database,
    workspace_id: UUID,
    order: str,
    plan: Planned,  # noqa: ARG001
) -> None:
    counts = PlanCounts()

    def stored() -> int:
        with database.sessions() as session:
            return usage_of(session, counts, settings.blobs, workspace_id, 0).stored_bytes

    before = stored()
    path = client.get(f"/v1/orders/{order}").json()["patches"]["awaited"][0]
    file = make_patch(path["tile"], path["patch"])
    url = f"/v1/orders/{order}/tiles/{path['tile']}/patches/{path['patch']}"
    assert client.put(url, content=file, headers=TIFF).status_code == 201
    assert stored() - before == len(file) + PATCH_PIXELS
    client.post(f"/v1/orders/{order}/cancel")
    assert client.delete(f"/v1/orders/{order}/pixels").json()["freed_bytes"] == len(file)
    assert stored() == before


@pytest.mark.parametrize(
    ("limits", "member"),
    [({"workspace_plans": 1}, "plans"), ({"workspace_gib": 1200 / GIB}, "stored_bytes")],
    ids=["plans", "bytes"],
)
def test_plan_beyond_the_room_is_refused_and_others_stay_readable(
    settings: Settings, limits: dict[str, float], member: str
) -> None:
    with limited(settings) as client:
        publish_prices(client)
        query = {"price_list": "acme", "max_patches": "1"}
        plan = client.post("/v1/plans", content=make_geotiff(), headers=TIFF, params=query).json()
    with limited(settings, **limits) as client:
        headers = TIFF | {"Idempotency-Key": str(uuid4())}
        refused = client.post("/v1/plans", content=make_geotiff(), headers=headers, params=query)
        again = client.post(f"/v1/plans/{plan['id']}/replan", json={"max_patches": 2})
        listed = client.get("/v1/plans")
        read = client.get(f"/v1/plans/{plan['id']}/preview.png")

    assert code(refused) == code(again) == (507, "storage-used-up")
    assert refused.json()[member] > 0
    assert [one["id"] for one in listed.json()["items"]] == [plan["id"]]
    assert read.status_code == 200


def test_delivery_beyond_the_room_is_refused_by_its_size(
    settings: Settings,
    client: TestClient,
    plan: Planned,
    budget: str,  # noqa: ARG001
) -> None:
    order = place(client, plan).json()
    awaited = order["patches"]["awaited"][0]
    url = f"/v1/orders/{order['id']}/tiles/{awaited['tile']}/patches/{awaited['patch']}"
    with limited(settings, workspace_gib=1000 / GIB) as small:
        answer = small.put(url, content=make_patch(awaited["tile"], awaited["patch"]), headers=TIFF)
    assert code(answer) == (507, "storage-used-up")
    assert client.get(f"/v1/orders/{order['id']}").json()["patches"]["delivered"] == []


def test_full_rooms_of_plans_leave_deliveries_theirs(
    settings: Settings,
    client: TestClient,
    database: Database,
    workspace_id: UUID,
    order: str,
) -> None:
    with database.sessions() as session:
        stored = usage_of(session, PlanCounts(), settings.blobs, workspace_id, PIXELS).stored_bytes
    place_of = client.get(f"/v1/orders/{order}").json()["patches"]["awaited"][0]
    url = f"/v1/orders/{order}/tiles/{place_of['tile']}/patches/{place_of['patch']}"
    patch = make_patch(place_of["tile"], place_of["patch"])
    with limited(settings, workspace_gib=(stored + len(patch)) / GIB, workspace_plans=1) as full:
        planned = full.post("/v1/plans", content=make_geotiff(), headers=TIFF)
        delivered = full.put(url, content=patch, headers=TIFF)
    assert code(planned) == (507, "storage-used-up")
    assert delivered.status_code == 201


def test_repeated_requests_are_answered_when_the_room_is_full(
    settings: Settings, client: TestClient, order: str
) -> None:
    """Refused, a client could not learn that its first request had succeeded."""
    publish_prices(client)
    keyed = TIFF | {"Idempotency-Key": str(uuid4())}
    query = {"price_list": "acme", "max_patches": "1"}
    first = client.post("/v1/plans", content=make_geotiff(), headers=keyed, params=query)
    place_of = client.get(f"/v1/orders/{order}").json()["patches"]["awaited"][0]
    url = f"/v1/orders/{order}/tiles/{place_of['tile']}/patches/{place_of['patch']}"
    patch, other = (make_patch(place_of["tile"], place_of["patch"], seed=seed) for seed in (1, 2))
    assert client.put(url, content=patch, headers=TIFF).status_code == 201

    with limited(settings, workspace_gib=0, workspace_plans=0) as full:
        again = full.post("/v1/plans", content=make_geotiff(), headers=keyed, params=query)
        new = full.post("/v1/plans", content=make_geotiff(), headers=TIFF, params=query)
        delivered = [full.put(url, content=patch, headers=TIFF)]
        delivered += [full.put(f"/v1/orders/{order}/deliveries", content=patch, headers=TIFF)]
        newer = [full.put(url, content=other, headers=TIFF)]
        newer += [full.put(f"/v1/orders/{order}/deliveries", content=other, headers=TIFF)]

    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert code(new) == (507, "storage-used-up")
    assert [answer.status_code for answer in delivered] == [200, 200]
    assert [code(answer) for answer in newer] == [(507, "storage-used-up")] * 2


def test_uploads_of_waiting_jobs_and_true_labels_count(
    client: TestClient, settings: Settings, database: Database, workspace_id: UUID, order: str
) -> None:
    counts = PlanCounts()

    def stored() -> int:
        with database.sessions() as session:
            return usage_of(session, counts, settings.blobs, workspace_id, 0).stored_bytes

    before = stored()
    headers = TIFF | {"Prefer": "respond-async"}
    publish_prices(client)
    job = client.post("/v1/plans?price_list=acme", content=make_geotiff(), headers=headers)
    assert stored() - before == len(make_geotiff())
    client.post(f"{job.headers['Location']}/cancel")
    assert stored() == before
    labels = {
        "tiles": [{"tile": 0, "true_label": client.get("/v1/bundles").json()["items"][0]["classes"][0]}]
    }
    assert client.put(f"/v1/orders/{order}/truth", json=labels).status_code == 200
    assert stored() > before


def test_body_of_unknown_length_counts_as_the_longest(settings: Settings, client: TestClient) -> None:
    publish_prices(client)
    query = {"price_list": "acme", "max_patches": "1"}

    def in_chunks() -> Iterator[bytes]:
        yield make_geotiff()

    room = settings.scene_body_limit / GIB  # for one scene of the largest size, but not in the share of plans
    with limited(settings, workspace_gib=room) as small:
        known = small.post("/v1/plans", content=make_geotiff(), headers=TIFF, params=query)
        unknown = small.post("/v1/plans", content=in_chunks(), headers=TIFF, params=query)
    assert known.status_code == 201
    assert code(unknown) == (507, "storage-used-up")
