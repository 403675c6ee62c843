"""A scene with oil tanks through a real server: tasks, orders, mosaics, counts, a second round, savings."""

import json
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from loupe import Client, Money
from loupe.answers.base import Json
from models.grid import PATCHES
from tests.support.server import KEY, ROOT, ServerProcess, running_server
from tests.support.tanks import TankScene, draw_tanks

TILES, BOUGHT = 12, 16
TASKS = ("label", "count", "find")


BUNDLE = ROOT / "models" / "bundles" / "tanks"


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with running_server(BUNDLE) as process:
        with process.client() as client:
            client.create_budget("tanks", Money.of("1000.00", "USD"))
        yield process
        assert process.query("SELECT * FROM ledger.violations") == []
        assert process.stop() == 0


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Client]:
    with server.client() as client:
        yield client


@pytest.fixture(scope="module")
def scene() -> TankScene:
    return draw_tanks()


@pytest.fixture(scope="module")
def bought(server: ServerProcess, scene: TankScene) -> tuple[Json, Json]:
    """Plan the scene for its objects, order the plan, and return both documents."""
    with server.client() as client:
        plan = client.plan(scene.low_resolution(), task="find", max_patches=BOUGHT).document
        return plan, client.order(plan["id"], None).document


@pytest.fixture(scope="module")
def deliveries(
    server: ServerProcess,
    scene: TankScene,
    bought: tuple[Json, Json],
    tmp_path_factory: pytest.TempPathFactory,
) -> list[Json]:
    """Deliver one mosaic of the whole scene for the order, twice, and return both answers."""
    picture = tmp_path_factory.mktemp("delivery") / "tanks.tif"
    picture.write_bytes(scene.high_resolution())
    with server.client() as client:
        return [client.deliver(bought[1]["id"], picture).document for _ in range(2)]


def selected(plan: Json) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    choice = np.zeros((TILES, PATCHES), np.bool_)
    for tile in plan["tiles"]:
        choice[tile["tile"], tile["buy"]] = True
    return choice


def class_of(count: int) -> str:
    return "0" if count == 0 else "1 to 9" if count < 10 else "10 or more"


def test_plan_for_objects_finds_the_drawn_tanks(scene: TankScene, bought: tuple[Json, Json]) -> None:
    chosen = selected(bought[0])
    assert chosen.sum() == BOUGHT
    assert (scene.counts * chosen).sum() >= 0.9 * scene.counts.sum()


def test_each_task_plans_the_scene_with_its_own_values(client: Client, scene: TankScene) -> None:
    body = scene.low_resolution()
    plans = {task: client.plan(body, task=task, max_patches=BOUGHT).document for task in TASKS}
    for task, plan in plans.items():
        assert (plan["task"], plan["patches"]["bought"], len(plan["tiles"])) == (task, BOUGHT, TILES)
        assert plan["objects"]["scene"] == plans["find"]["objects"]["scene"]
        again = client.plan(body, task=task, max_patches=BOUGHT).document
        assert again["tiles"] == plan["tiles"]
    in_bought = {task: plan["objects"]["in_bought"] for task, plan in plans.items()}
    assert max(in_bought.values()) == in_bought["find"]
    replanned = client.post(f"/v1/plans/{plans['find']['id']}/replan", {"task": "count"})
    assert replanned["tiles"] == plans["count"]["tiles"]


def test_one_mosaic_delivers_the_order_to_the_cent_and_the_tanks_are_counted(
    server: ServerProcess,
    client: Client,
    scene: TankScene,
    bought: tuple[Json, Json],
    deliveries: list[Json],
) -> None:
    plan, order = bought
    assert order["amounts"]["held"] == plan["cost"]
    assert deliveries[0]["counts"]["settled"] == BOUGHT, deliveries[0]
    assert deliveries[1]["counts"]["already_delivered"] == BOUGHT
    done = client.get(f"/v1/orders/{order['id']}")
    assert (done["status"], done["amounts"]["settled"]) == ("completed", plan["cost"])
    assert done["amounts"]["held"]["amount"] == "0.00"

    labelled, repeated = client.classify(order["id"]).document, client.classify(order["id"]).document
    assert (labelled["tiles"], labelled["summary"]) == (repeated["tiles"], repeated["summary"])
    assert labelled["complete"] is True
    assert labelled["licence"] == plan["licence"]
    objects, tiles = labelled["summary"]["objects"], labelled["tiles"]
    assert objects["total"]["expected"] == pytest.approx(
        sum(one["count"]["expected"] for one in tiles), abs=0.01
    )
    assert objects["lr_total"] == plan["objects"]["scene"]
    assert objects["total"]["low"] <= scene.counts.sum() <= objects["total"]["high"]
    right = [class_of(true) == tile["label"] for true, tile in zip(scene.counts.sum(1), tiles, strict=True)]
    assert sum(right) >= TILES - 1
    for tile, planned in zip(tiles, plan["tiles"], strict=True):
        assert (tile["patches_used"], tile["patches_bought"]) == (len(planned["buy"]), len(planned["buy"]))
        assert tile["lr_count"] == planned["objects"]
        assert tile["count"]["low"] <= tile["count"]["high"]

    (report,) = client.get("/v1/reports/savings")["currencies"]
    assert report["settled"] == plan["cost"] == {"amount": str(server.settled_usd()), "currency": "USD"}
    assert report["savings"]["example"]["amount"] == plan["savings"]["billable"]["amount"]


def test_curve_expects_more_objects_for_more_money(client: Client, bought: tuple[Json, Json]) -> None:
    points = client.get(f"/v1/plans/{bought[0]['id']}/curve")["points"]
    objects = [point["here"]["objects"] for point in points]
    assert objects == sorted(objects)
    assert all(0 <= point["here"]["correct_labels"] <= TILES for point in points)


def test_command_line_states_objects_and_licence(
    server: ServerProcess, scene: TankScene, tmp_path: Path
) -> None:
    file = tmp_path / "scene.tif"
    file.write_bytes(scene.low_resolution())
    words = ["plan", str(file), "--task", "find", "--bundle", "tanks", "--max-patches", str(BOUGHT)]
    done = subprocess.run(
        [sys.executable, "-m", "service", *words, "--url", server.url, "--api-key", KEY],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    objects = json.loads((BUNDLE / "manifest.json").read_text())["objects"]
    shown = " ".join(done.stdout.split())
    assert f"expected {objects} (" in shown
    assert "not for sale: CC BY-NC-SA 4.0" in shown


def test_second_round_is_planned_by_what_the_first_showed_and_its_ground_is_paid_once(
    server: ServerProcess,
    client: Client,
    scene: TankScene,
    bought: tuple[Json, Json],
    deliveries: list[Json],
    tmp_path: Path,
) -> None:
    plan, order = bought
    assert deliveries[0]["counts"]["settled"] == BOUGHT
    labelled = client.classify(order["id"]).document
    second = client.next_round(order["id"], max_patches=8).document
    found = second["round"]
    assert (second["follows"], found["number"], second["patches"]["bought"]) == (order["id"], 2, 8)
    assert not (selected(second) & selected(plan)).any()
    assert found["read"]["patches"] == second["reuse"]["owned"] == BOUGHT
    assert found["read"]["objects"] == pytest.approx(labelled["summary"]["objects"]["read"], abs=0.01)
    assert found["read"]["expected"] == pytest.approx(plan["objects"]["in_bought"], abs=0.01)
    assert found["remainder"]["patches"] == TILES * PATCHES - BOUGHT
    assert found["verdict"]

    ordered = client.order(second["id"], None).document
    picture = tmp_path / "tanks.tif"
    picture.write_bytes(scene.high_resolution())
    assert client.deliver(ordered["id"], picture).document["counts"]["settled"] == 8
    again = client.classify(ordered["id"]).document
    assert (again["complete"], again["provenance"]["reused"]) == (True, BOUGHT)
    (report,) = client.get("/v1/reports/savings")["currencies"]
    paid = Decimal(plan["cost"]["amount"]) + Decimal(second["cost"]["amount"])
    assert Decimal(report["settled"]["amount"]) == server.settled_usd() == paid
    assert Decimal(report["savings"]["example"]["amount"]) == Decimal(plan["baseline"]["amount"]) - paid


def test_command_line_plans_a_second_round(
    server: ServerProcess,
    bought: tuple[Json, Json],
    deliveries: list[Json],  # noqa: ARG001  (the order is delivered)
) -> None:
    words = ["next", bought[1]["id"], "--max-patches", "3", "--worth-each", "0.01"]
    done = subprocess.run(
        [sys.executable, "-m", "service", *words, "--url", server.url, "--api-key", KEY],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    shown = " ".join(done.stdout.split())
    assert f"2, after order {bought[1]['id']}" in shown
    assert "Verdict Not worth another order: " in shown
    assert "To order this plan: loupe order " in shown


def test_command_line_asks_a_second_round_for_a_guarantee(
    server: ServerProcess,
    bought: tuple[Json, Json],
    deliveries: list[Json],  # noqa: ARG001  (the order is delivered)
) -> None:
    words = ["next", bought[1]["id"], "--guarantee", "objects:0.1", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "service", *words, "--url", server.url, "--api-key", KEY],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    plan = json.loads(done.stdout)
    assert plan["objective"]["kind"] == "guarantee"
    assert "59" in plan["guarantee"]["promise"]
