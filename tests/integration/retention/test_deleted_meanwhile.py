"""Pixels that are deleted while a request reads them: it answers 410 as after the deletion, never 500."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from service.blobs import open_checked
from service.database.engine import Database
from service.deliveries import routes
from service.orders.delivered import file_sha256
from service.retention.deleting import Doer, delete_order_pixels, delete_scene_pixels
from service.settings import Settings
from tests.integration.web.test_connections import COMPUTING
from tests.support.dashboard import form_fields, sign_in
from tests.support.journeys import Operation
from tests.support.ordering import TIFF, buy, code, open_budget, plan_scene, publish_prices
from tests.support.orders import Planned, make_patch
from tests.support.watching import watch_computing

READING = {"get", "open_checked"}
"""Functions that open a stored file."""
GONE = 410, "pixels-deleted"

pytestmark = pytest.mark.usefixtures("spread_utilities")


@pytest.fixture
def planned(client: TestClient) -> Planned:
    publish_prices(client)
    open_budget(client, "1000.00")
    return plan_scene(client)


@pytest.fixture
def order(client: TestClient, planned: Planned) -> str:
    """Buy the plan and get every patch, so that nothing keeps the pixels."""
    return buy(client, planned)


@pytest.fixture
def delete_all(
    database: Database, settings: Settings, workspace_id: UUID, planned: Planned, order: str
) -> Callable[[], None]:
    """Return a function that deletes the pixels of the scene and of what was delivered."""

    def delete_all() -> None:
        of = database.of(workspace_id), settings.blobs, workspace_id
        delete_scene_pixels(*of, planned.id, Doer())
        delete_order_pixels(*of, UUID(order), Doer())

    return delete_all


def request_of(operation: Operation, planned: Planned, order: str) -> dict[str, Any]:
    """Write the request of an operation that reads pixels."""
    method, path = operation
    (tile, patch), *_ = planned.bought
    sent: dict[str, Any] = {"method": method, "follow_redirects": False}
    sent["url"] = path.format(plan_id=planned.id, order_id=order, tile=tile, patch=patch)
    if method == "PUT":
        sent |= {"content": make_patch(tile, patch, seed=5), "headers": TIFF}
    elif path.endswith("/files"):
        sent["files"] = {"files": ("patch.tif", make_patch(tile, patch, seed=5), "image/tiff")}
    elif method == "POST" and path.startswith("/v1"):
        sent["json"] = {}
    return sent


@pytest.mark.parametrize(
    "operation", [one for one, does in COMPUTING.items() if does & READING], ids=" ".join
)
def test_file_that_is_deleted_while_it_is_read_is_gone(
    client: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    planned: Planned,
    order: str,
    delete_all: Callable[[], None],
    operation: Operation,
) -> None:
    request = request_of(operation, planned, order)
    if request["url"].startswith("/dashboard"):
        sign_in(client)
        request["data"] = form_fields(client) if request["method"] == "POST" else None
    opened: list[str] = []

    def delete_first(name: str) -> None:
        if name in READING and not opened:
            opened.append(name)
            delete_all()

    with monkeypatch.context() as watched:
        watch_computing(watched, delete_first)
        answer = client.request(**request)

    assert opened
    if answer.status_code == 303:  # the page that it leads to says what became of each file
        answer = client.get(answer.headers["location"])
        assert "were deleted" in answer.text
    elif request["url"].startswith("/dashboard/"):
        assert answer.status_code == 410
        assert "were deleted" in answer.text
    else:
        assert code(answer) == GONE


def test_deletion_between_two_queries_of_a_download_is_gone(
    client: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    planned: Planned,
    order: str,
    delete_all: Callable[[], None],
) -> None:
    def delete_before(*args: Any) -> str:
        delete_all()
        return file_sha256(*args)

    monkeypatch.setattr(routes, "file_sha256", delete_before)
    tile, patch = planned.bought[0]

    assert code(client.get(f"/v1/orders/{order}/tiles/{tile}/patches/{patch}")) == GONE


def test_download_that_has_begun_is_sent_to_its_end(
    client: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    planned: Planned,
    order: str,
    delete_all: Callable[[], None],
) -> None:
    def delete_after(*args: Any) -> Any:
        file = open_checked(*args)
        delete_all()
        return file

    monkeypatch.setattr(routes, "open_checked", delete_after)
    tile, patch = planned.bought[0]
    path = f"/v1/orders/{order}/tiles/{tile}/patches/{patch}"
    sent = client.get(path)

    assert (sent.status_code, sent.content) == (200, make_patch(tile, patch))
    assert sent.headers["content-length"] == str(len(sent.content))
    assert code(client.get(path)) == GONE


def test_part_of_a_download_can_be_asked_for(client: TestClient, planned: Planned, order: str) -> None:
    tile, patch = planned.bought[0]
    path = f"/v1/orders/{order}/tiles/{tile}/patches/{patch}"
    some = client.get(path, headers={"Range": "bytes=4-11"})

    assert (some.status_code, some.content) == (206, make_patch(tile, patch)[4:12])


def test_file_that_is_lost_stays_an_error_of_the_server(
    client: TestClient, planned: Planned, order: str, own_blobs: Any
) -> None:
    for path in [path for path in own_blobs.rglob("*") if path.is_file()]:
        path.unlink()
    tile, patch = planned.bought[0]
    answers = [
        client.get(f"/v1/plans/{planned.id}/scene.tif"),
        client.get(f"/v1/orders/{order}/tiles/{tile}/patches/{patch}"),
    ]

    assert [code(one) for one in answers] == [(500, "blob-missing")] * 2
