"""The main job through a real server process, from the scene to labels and savings."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loupe import Client, Money, ProblemError
from tests.support.server import KEY, ROOT, ServerProcess, make_mosaic, running_server

MOSAIC = make_mosaic()
SCENE = MOSAIC.scene(8)


@pytest.fixture(scope="module")
def server(bundle_folder: Path) -> Iterator[ServerProcess]:
    with running_server(bundle_folder) as process:
        yield process
        assert process.query("SELECT * FROM ledger.violations") == []
        assert process.stop() == 0


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Client]:
    with server.client() as client:
        yield client


def test_main_job_plans_orders_delivers_classifies_and_reports(server: ServerProcess, client: Client) -> None:
    budget = client.create_budget("main job", Money.of("5.00", "USD")).document

    plan = client.plan(SCENE, max_patches=7).document
    assert [len(tile["utilities"]) for tile in plan["tiles"]] == [16] * 6
    assert (plan["patches"]["bought"], plan["patches"]["total"]) == (7, 96)
    wanted = [(tile["tile"], patch) for tile in plan["tiles"] for patch in tile["buy"]]
    assert len(wanted) == 7

    order = client.order(plan["id"], budget["id"]).document
    assert order["amounts"]["held"] == plan["cost"]
    assert sorted((one["tile"], one["patch"]) for one in order["patches"]["awaited"]) == sorted(wanted)

    for tile, patch in wanted:
        client.deliver_patch(order["id"], tile, patch, MOSAIC.patch(tile, patch))
    done = client.get(f"/v1/orders/{order['id']}")
    assert (done["status"], done["amounts"]["settled"]) == ("completed", plan["cost"])

    labels = client.classify(order["id"]).document
    assert labels["complete"] is True
    assert sum(tile["patches_used"] for tile in labels["tiles"]) == 7
    assert all(tile["label"] and tile["lr_label"] for tile in labels["tiles"])

    (report,) = client.get("/v1/reports/savings")["currencies"]
    assert report["settled"] == plan["cost"]
    assert report["settled"] == {"amount": str(server.settled_usd()), "currency": "USD"}
    usage = client.get(f"/v1/budgets/{budget['id']}/usage")
    assert (usage["held"]["amount"], usage["spent"]) == ("0.00", plan["cost"])


def test_savings_script_agrees_with_the_report(server: ServerProcess, client: Client) -> None:
    assert client.get("/v1/reports/savings")["currencies"]

    done = subprocess.run(
        [sys.executable, "-m", "tests.evidence", "savings", "--url", server.url, "--key", KEY],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert "The report has the same figures." in done.stdout


def test_order_beyond_the_budget_holds_nothing(client: Client) -> None:
    budget = client.create_budget("too small", Money.of("0.01", "USD")).document
    plan = client.plan(SCENE, max_patches=20).document

    with pytest.raises(ProblemError) as caught:
        client.order(plan["id"], budget["id"])

    assert (caught.value.status, caught.value.code) == (402, "budget-exceeded")
    assert caught.value.problem["available"] == "0.01"
    assert client.get(f"/v1/budgets/{budget['id']}/usage")["held"]["amount"] == "0.00"


def test_deliver_refuses_an_unordered_or_misplaced_patch(client: Client) -> None:
    budget = client.create_budget("refusals", Money.of("5.00", "USD")).document
    plan = client.plan(SCENE, max_patches=1).document
    order = client.order(plan["id"], budget["id"]).document
    (bought,) = order["patches"]["awaited"]
    tile, patch = bought["tile"], bought["patch"]
    other = (patch + 1) % 16

    with pytest.raises(ProblemError) as not_bought:
        client.deliver_patch(order["id"], tile, other, MOSAIC.patch(tile, other))
    with pytest.raises(ProblemError) as elsewhere:
        client.deliver_patch(order["id"], tile, patch, MOSAIC.patch(tile, other))

    assert (not_bought.value.status, not_bought.value.code) == (409, "patch-not-ordered")
    assert (elsewhere.value.status, elsewhere.value.code) == (409, "patch-misplaced")
    assert client.get(f"/v1/orders/{order['id']}")["amounts"]["settled"]["amount"] == "0.00"


def test_curl_command_of_the_readme_makes_a_plan(server: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "scene.tif").write_bytes(SCENE)
    upload = ["--data-binary", "@scene.tif", "-H", "Content-Type: image/tiff"]
    command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", *upload]
    command += ["-H", f"Authorization: Bearer {KEY}", f"{server.url}/v1/plans"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=True)

    assert done.stdout == b"201"


def test_plan_without_a_valid_key_is_refused(server: ServerProcess) -> None:
    with server.client("not-a-key-of-this-server") as stranger, pytest.raises(ProblemError) as caught:
        stranger.plan(SCENE)

    assert caught.value.status == 401
