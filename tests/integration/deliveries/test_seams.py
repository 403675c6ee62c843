"""Patches at the seams of delivered files: several files deliver them together."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from fastapi.testclient import TestClient
from rasterio.io import MemoryFile

from service.app import create_app
from service.blobs import get
from service.database.engine import Database
from service.deliveries import many_patches
from service.deliveries.seams import join_parts_of
from service.settings import Settings
from tests.support.bundles import make_geotiff
from tests.support.databases import KEY, rows
from tests.support.mosaics import HEIGHT, WIDTH, archive, mosaic, warped
from tests.support.ordering import (
    code,
    deliver,
    place,
    plan_scene,
    publish_prices,
    race,
    send_file,
    status,
    usage,
)
from tests.support.orders import NORTH, WEST, make_detail
from tests.support.seams import (
    ALL,
    HALVES,
    LEFT,
    OTHER_RIGHT,
    RIGHT,
    SEAM,
    at_seam,
    digest,
    pixels_at_seam,
    shown,
    state,
    written,
)


def test_archive_delivers_the_patches_at_the_seams_of_its_files(
    client: TestClient, order: str, budget: str, database: Database, own_blobs: Path
) -> None:
    # Three strips, of which no patch at a seam lies in one alone: 0..3, 4..59, 60..95.
    files = {"strips/a.tif": mosaic(0, 4), "strips/b.tif": mosaic(4, 60), "strips/c.tif": RIGHT}

    answer = send_file(client, order, archive(files))
    found = state(client, order)

    assert answer.status_code == 201, answer.text
    assert answer.json()["counts"]["settled"] == 3
    assert {one["use"] for one in answer.json()["files"]} == {"used"}
    digests = {one["name"]: one["sha256"] for one in answer.json()["files"]}
    assert set(at_seam(answer)["files"]) == {digests["strips/b.tif"], digests["strips/c.tif"]}
    assert (found["status"], found["patches"]["partly"]) == ("completed", [])
    assert usage(client, budget) == ALL
    np.testing.assert_array_equal(pixels_at_seam(database, order), shown(4))
    assert all(get(own_blobs, one) for one in digests.values())


@pytest.mark.parametrize("halves", HALVES, ids=["left first", "right first"])
def test_two_uploads_in_any_order_deliver_the_patch_at_their_seam(
    client: TestClient, order: str, budget: str, database: Database, halves: tuple[bytes, bytes]
) -> None:
    first = send_file(client, order, halves[0])
    between = state(client, order)
    spent = usage(client, budget)["spent"]
    second = send_file(client, order, halves[1])
    after = state(client, order)

    assert (first.status_code, second.status_code) == (201, 201)
    part = at_seam(first)
    assert (part["outcome"], part["files"]) == ("not-covered", [digest(first)])
    assert part["covered"] == pytest.approx(0.5, abs=0.13)  # one pixel at the side may be repeated
    assert between["patches"]["partly"] == [
        {name: part[name] for name in ("tile", "patch", "covered", "remainder", "files")}
    ]
    assert any((one["tile"], one["patch"]) == SEAM for one in between["patches"]["awaited"])
    assert spent == f"{sum(1 for one in between['patches']['delivered']) * 3.33:.2f}"
    assert at_seam(second)["outcome"] == "settled"
    assert set(at_seam(second)["files"]) == {digest(first), digest(second)}
    delivered = {(one["tile"], one["patch"]): one for one in after["patches"]["delivered"]}
    assert set(delivered[SEAM]["files"]) == {digest(first), digest(second)}
    assert (after["status"], after["patches"]["partly"]) == ("completed", [])
    assert usage(client, budget) == ALL
    np.testing.assert_array_equal(pixels_at_seam(database, order), shown())


def test_joined_patch_is_downloaded_as_a_geotiff(client: TestClient, order: str) -> None:
    for body in (LEFT, RIGHT):
        send_file(client, order, body)

    path = f"/v1/orders/{order}/tiles/{SEAM[0]}/patches/{SEAM[1]}"
    with MemoryFile(client.get(path).content) as memory, memory.open() as file:
        np.testing.assert_array_equal(file.read(), shown())
        assert file.crs.to_epsg() == 32632


@pytest.mark.usefixtures("budget", "spread_utilities")
def test_classification_states_the_files_of_a_joined_patch(client: TestClient) -> None:
    publish_prices(client)
    plan = plan_scene(client)
    order = str(place(client, plan).json()["id"])
    tile, patch = plan.bought[0]
    cut = tile % 3 * 32 + patch // 4 * 8 + 4

    digests = {digest(send_file(client, order, body)) for body in (mosaic(0, cut), mosaic(cut))}
    labels = client.post(f"/v1/orders/{order}/classification", json={}).json()

    used = {(one["tile"], one["patch"]): one for one in labels["provenance"]["delivered_files"]}
    assert set(used[tile, patch]["joined_from"]) == digests


@pytest.mark.parametrize("halves", HALVES, ids=["left first", "right first"])
def test_same_parts_again_change_nothing(
    client: TestClient, order: str, database: Database, halves: tuple[bytes, bytes]
) -> None:
    send_file(client, order, halves[0])
    before = written(database)
    again = send_file(client, order, halves[0])
    assert (again.status_code, at_seam(again)["outcome"]) == (200, "not-covered")
    assert written(database) == before

    send_file(client, order, halves[1])
    before = written(database)
    for body in (*halves, archive({"a.tif": halves[0], "b.tif": halves[1]})):
        again = send_file(client, order, body)
        assert (again.status_code, at_seam(again)["outcome"]) == (200, "already-delivered")
        assert written(database) == before


@pytest.mark.parametrize("halves", HALVES, ids=["left first", "right first"])
def test_part_that_is_stored_while_another_upload_is_read_is_joined(
    client: TestClient,
    order: str,
    budget: str,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    halves: tuple[bytes, bytes],
) -> None:
    join, others = join_parts_of, [halves[1]]

    def join_while_another_is_stored(*args: Any, **options: Any) -> Any:
        joined = join(*args, **options)
        if others:
            body = others.pop()
            assert send_file(other, order, body).status_code == 201
        return joined

    monkeypatch.setattr(many_patches, "join_parts_of", join_while_another_is_stored)
    with TestClient(create_app(settings), headers={"Authorization": f"Bearer {KEY}"}) as other:
        answer = send_file(client, order, halves[0])

    assert at_seam(answer)["outcome"] == "settled"
    assert state(client, order)["status"] == "completed"
    assert usage(client, budget) == ALL


def test_racing_halves_are_paid_once(client: TestClient, order: str, budget: str) -> None:
    bodies = [LEFT, RIGHT, LEFT, RIGHT]

    answers = race(4, lambda: status(send_file(client, order, bodies.pop())))

    assert set(answers) <= {200, 201}
    assert state(client, order)["status"] == "completed"
    assert usage(client, budget) == ALL


@pytest.mark.parametrize("halves", HALVES, ids=["left first", "right first"])
def test_failure_while_storing_keeps_no_part(
    client: TestClient,
    order: str,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    halves: tuple[bytes, bytes],
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("The server was killed.")

    send_file(client, order, halves[0])
    before = written(database)
    monkeypatch.setattr(many_patches, "advance", fail)
    assert send_file(client, order, halves[1]).status_code == 500
    assert written(database) == before

    monkeypatch.undo()
    assert at_seam(send_file(client, order, halves[1]))["outcome"] == "settled"


def test_files_of_different_products_are_refused_until_a_fitting_one_comes(
    client: TestClient, order: str, budget: str
) -> None:
    detail = make_detail(np.arange(HEIGHT), np.arange(60, WIDTH))
    dim = make_geotiff((detail * 0.35).astype(np.uint8), west=WEST + 60 * 2.5, north=NORTH, gsd_m=2.5)
    send_file(client, order, LEFT)

    refused = send_file(client, order, dim)
    found = state(client, order)
    fitting = send_file(client, order, RIGHT)

    assert (refused.status_code, at_seam(refused)["outcome"]) == (201, "refused")
    assert at_seam(refused)["problem"]["type"].endswith("/parts-unlike")
    (partly,) = found["patches"]["partly"]
    assert (partly["covered"], "remainder" in partly, len(partly["files"])) == (1.0, False, 2)
    assert at_seam(fitting)["outcome"] == "settled"
    assert digest(refused) not in at_seam(fitting)["files"]
    assert usage(client, budget) == ALL


def test_unlike_files_are_joined_with_the_override(client: TestClient, order: str) -> None:
    detail = make_detail(np.arange(HEIGHT), np.arange(60, WIDTH))
    dim = make_geotiff((detail * 0.35).astype(np.uint8), west=WEST + 60 * 2.5, north=NORTH, gsd_m=2.5)
    send_file(client, order, LEFT)
    send_file(client, order, dim)

    answer = send_file(client, order, dim, accept_unlike=True)

    assert at_seam(answer)["outcome"] == "settled"
    assert "patch-parts-differ" in {one["code"] for one in at_seam(answer)["warnings"]}


def test_black_part_is_refused_and_not_kept(client: TestClient, order: str, database: Database) -> None:
    black = make_detail(np.arange(HEIGHT), np.arange(60))
    black[:, 40:, 30:] = 0
    body = make_geotiff(black, west=WEST, north=NORTH, gsd_m=2.5)

    answer = send_file(client, order, body)

    assert at_seam(answer)["outcome"] in {"refused", None}
    assert rows(database, "delivered_part") == 0


def test_new_file_of_a_half_supersedes_that_half(
    client: TestClient, order: str, budget: str, database: Database
) -> None:
    left = digest(send_file(client, order, LEFT))
    before = at_seam(send_file(client, order, RIGHT))

    answer = send_file(client, order, OTHER_RIGHT)

    assert at_seam(answer)["outcome"] == "superseded"
    assert at_seam(answer)["supersedes"] == {"version": 1, "sha256": before["sha256"]}
    assert set(at_seam(answer)["files"]) == {left, digest(answer)}
    np.testing.assert_array_equal(pixels_at_seam(database, order, 2), shown(right_seed=9))
    assert usage(client, budget) == ALL


def test_overlap_of_a_neighbouring_tile_does_not_supersede_a_whole_file(
    client: TestClient, order: str, database: Database
) -> None:
    deliver(client, order, *SEAM)
    before = written(database)

    answers = [send_file(client, order, mosaic(first, last)) for first, last in ((58, 70), (50, 62))]

    assert [code(one) for one in answers] == [(409, "nothing-delivered")] * 2
    assert "single file delivered" in answers[0].json()["detail"]
    assert written(database) == before


def test_archive_of_halves_supersedes_a_whole_file(client: TestClient, order: str, budget: str) -> None:
    send_file(client, order, mosaic(seed=9))

    body = archive({"a.tif": LEFT, "b.tif": RIGHT})
    answer, again = send_file(client, order, body), send_file(client, order, body)

    assert [at_seam(one)["outcome"] for one in (answer, again)] == ["superseded", "already-delivered"]
    assert usage(client, budget) == ALL


def test_cancelled_order_shows_the_parts_that_it_kept(client: TestClient, order: str) -> None:
    send_file(client, order, LEFT)
    client.post(f"/v1/orders/{order}/cancel")

    found = state(client, order)
    late = send_file(client, order, RIGHT)

    assert [(one["tile"], one["patch"]) for one in found["patches"]["partly"]] == [SEAM]
    assert (found["patches"]["awaited"], code(late)[0]) == ([], 409)
    assert usage(client, client.get("/v1/budgets").json()["items"][0]["id"])["spent"] == "6.66"


def test_file_of_another_system_and_pixel_size_completes_a_patch(client: TestClient, order: str) -> None:
    rest = make_detail(np.arange(HEIGHT), np.arange(56, WIDTH))
    fine = np.repeat(np.repeat(rest, 2, axis=1), 2, axis=2)
    place = Affine(1.25, 0, WEST + 56 * 2.5, 0, -1.25, NORTH)
    body = warped(fine[:, :, 4:], place @ Affine.translation(4, 0), "EPSG:25833")
    first, answer = send_file(client, order, LEFT), send_file(client, order, body)

    assert at_seam(answer)["outcome"] == "settled"
    assert set(at_seam(answer)["files"]) == {digest(first), digest(answer)}
