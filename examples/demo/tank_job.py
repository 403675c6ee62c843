"""The job on the tank scene, under a minimum area per polygon: plan, order, deliver, count, compare."""

import time
from pathlib import Path
from typing import Any

from rich.console import Console

from examples.demo.tank_report import (
    Choice,
    bought_mask,
    counts_table,
    everything,
    fixed_h_for,
    fixed_h_like,
    money_table,
    scene_map,
    true_classes,
)
from examples.demo.tanks import ARCHIVE, BUNDLE, CARD, CUT, TankScene, read_tank_scene
from models.grid import GRID, PATCHES
from service.client import Client, Json
from service.terminal.blocks import indent, money, plural
from service.terminal.documents import order_view, plan_figures, savings_view
from training.where.bills import USD_PER_KM2, Terms

MINIMUM_KM2 = 1.0
PRICES: dict[str, Any] = {
    "name": "demo-1km2-per-polygon",
    "provider": "Demo",
    "product": "Archive with at least 1 km2 for each polygon",
    "gsd_m": "1.5",
    "currency": "USD",
    "price_per_km2": f"{USD_PER_KM2:g}",
    "minimum_km2": f"{MINIMUM_KM2:g}",
    "minimum_applies_to": "shape",
    "source": "Invented for the demo, after 50 cm archives from 10 USD per km2. It is not an offer.",
    "captured_at": "2026-11-22",
}
BUDGET = ("demo tanks", "100.00", "USD")
SPEND = "30.00"
"""Most that the plan may cost, in USD."""


def missing(client: Client, data: Path | None) -> str | None:
    """Return why the tank scene cannot be shown, as a sentence; None if it can."""
    archive = None if data is None else data / ARCHIVE
    if archive is None or not archive.is_file():
        return f"The tank scene is left out: there is no {archive or ARCHIVE}."
    if not any(one["name"] == BUNDLE for one in client.items("/v1/bundles")):
        return f"The tank scene is left out: the server has no bundle {BUNDLE}."
    return None


def show_tanks(client: Client, data: Path | None, folder: Path, out: Console) -> None:
    """Run the job on the scene of the archive in `data`, or say in a line why not.

    `folder` holds the scene's files.
    """
    if (reason := missing(client, data)) or data is None:
        out.print(f"\n{reason}")
        return
    run_tanks(client, read_tank_scene(data / ARCHIVE, folder), out)


def run_tanks(client: Client, scene: TankScene, out: Console) -> None:
    """Run the whole job on a tank scene and print every step beside the truth."""
    _heading(out, "Oil tanks: where to look")
    out.print(scene.words)
    client.post("/v1/price-lists", PRICES)
    planned = _plan(client, scene, out)
    placed = _buy(client, planned, scene, out)
    _count(client, placed, scene, out)
    _compare(planned, placed, scene, out)
    out.print(f"One scene is an illustration, not a measurement: {CARD} has the figures of the test sites.")
    _heading(out, "Tanks: what the ledger says was saved")
    out.print(indent(savings_view(client.get("/v1/reports/savings"))))


def _plan(client: Client, scene: TankScene, out: Console) -> Json:
    _heading(out, f"Tanks 1. Plan: find the most tanks for {SPEND} USD, at least 1 km2 billed per polygon")
    started = time.perf_counter()
    planned = client.plan_scene(
        scene.lr.read_bytes(), bundle=BUNDLE, task="find", price_list=PRICES["name"], max_cost=SPEND
    )
    seconds = time.perf_counter() - started
    out.print(f"POST /v1/plans answered in {seconds:.1f} s. The plan over the scene, and the truth:\n")
    out.print(indent(scene_map(_bought(planned, scene), scene.counts)))
    out.print()
    out.print(indent(plan_figures(planned)))
    return planned


def _buy(client: Client, planned: Json, scene: TankScene, out: Console) -> Json:
    _heading(out, "Tanks 2. Order, and deliver one mosaic")
    budget = client.create_budget(*BUDGET)
    placed = client.create_order(planned["id"], budget["id"])
    answer = client.deliver_file(placed["id"], scene.hr)
    settled = plural(answer["counts"]["settled"], "patch")
    out.print(
        f"The order held {money(placed['amounts']['held'])}. "
        f"One upload of {scene.hr.stat().st_size:,} bytes delivered {settled}.\n"
    )
    settled_order = client.get(f"/v1/orders/{placed['id']}")
    out.print(indent(order_view(settled_order)))
    return settled_order


def _count(client: Client, placed: Json, scene: TankScene, out: Console) -> None:
    _heading(out, "Tanks 3. Count: expected, read and true tanks of every tile")
    labelled = client.classify(placed["id"])
    bundle = next(one for one in client.items("/v1/bundles") if one["name"] == BUNDLE)
    truth = true_classes(scene.counts, CUT.bins, bundle["classes"])
    out.print(indent(counts_table(labelled, scene.counts, truth)))
    alone = sum(tile["lr_label"] == truth[tile["tile"]] for tile in labelled["tiles"])
    out.print(
        f"\nBrackets hold 95 % intervals. {alone} of {len(truth)} classes are right from LR only. "
        "The true number counts annotated boxes by their centre."
    )
    out.print(f"Licence of plan and labels: {labelled['licence']}, not for sale.")


def _compare(planned: Json, placed: Json, scene: TankScene, out: Console) -> None:
    _heading(out, "Tanks 4. The same money spent on the middle of each tile (Fixed-H)")
    shape = scene.counts.shape
    terms = Terms(patch_km2=(CUT.tile_m / GRID / 1000) ** 2, minimum_km2=MINIMUM_KM2)
    usd, bought = float(placed["amounts"]["settled"]["amount"]), _bought(planned, scene)
    choices = [
        Choice(name="Loupe", bought=bought, usd=usd),
        fixed_h_for(usd, shape, terms),
        fixed_h_like(PATCHES * bought.mean(), shape, terms),
        everything(shape, terms),
    ]
    out.print(indent(money_table(choices, scene.counts)))
    out.print("\nA scene never costs more than the whole of it.")


def _bought(planned: Json, scene: TankScene) -> Any:
    return bought_mask(planned["tiles"], scene.counts.shape)


def _heading(out: Console, words: str) -> None:
    out.print(f"\n{words}", style="bold")
