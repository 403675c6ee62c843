"""The job on the tank scene, under a minimum area per polygon: plan, order, deliver, count, compare."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from examples.demo.tank_report import (
    Choice,
    Mask,
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
from loupe import Client, Money, ProblemError
from loupe.answers.base import Json
from models.grid import PATCHES
from service.terminal.blocks import indent, money, plural
from service.terminal.counts import count_text, round_rows
from service.terminal.documents import order_view, plan_figures, savings_view
from service.terminal.tables import facts
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
SPEND, SPEND_AGAIN = "10.00", "10.00"
"""Most that the first and the second round may cost, in USD."""
WORTH_EACH = "2.00"
"""Price of a tank, in USD, up to which the second round is ordered."""


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
    client.create_budget(BUDGET[0], Money.of(*BUDGET[1:]))
    planned = _plan(client, scene, out)
    placed = _buy(client, planned, scene, out)
    _count(client, placed, scene, out)
    rounds = [planned, *_next_round(client, placed, scene, out)]
    _compare(rounds, scene, out)
    _heading(out, "Tanks 6. Money: what the ledger says was saved")
    out.print(indent(savings_view(client.get("/v1/reports/savings"))))


def _plan(client: Client, scene: TankScene, out: Console) -> Json:
    _heading(out, f"Tanks 1. Plan: find the most tanks for {SPEND} USD, at least 1 km2 billed per polygon")
    started = time.perf_counter()
    planned = client.plan(
        scene.lr.read_bytes(), bundle=BUNDLE, task="find", price_list=PRICES["name"], max_cost=SPEND
    ).document
    seconds = time.perf_counter() - started
    out.print(f"POST /v1/plans answered in {seconds:.1f} s. The plan over the scene, and the truth:\n")
    out.print(indent(scene_map(_bought(planned, scene), scene.counts)))
    out.print()
    out.print(indent(plan_figures(planned)))
    return planned


def _buy(client: Client, planned: Json, scene: TankScene, out: Console) -> Json:
    _heading(out, "Tanks 2. Order, and deliver one mosaic")
    placed = _ordered(client, planned, scene, out)
    out.print()
    out.print(indent(order_view(placed)))
    return placed


def _ordered(client: Client, planned: Json, scene: TankScene, out: Console) -> Json:
    """Order a plan, deliver the mosaic for it and return the order."""
    budget = next(one for one in client.items("/v1/budgets") if one["name"] == BUDGET[0])
    placed = client.order(planned["id"], budget["id"]).document
    answer = client.deliver(placed["id"], scene.hr).document
    out.print(
        f"The order held {money(placed['amounts']['held'])}. One upload of {scene.hr.stat().st_size:,} bytes "
        f"delivered {plural(answer['counts']['settled'], 'patch')}; the rest of it is neither paid nor used."
    )
    return client.get(f"/v1/orders/{placed['id']}")


def _count(client: Client, placed: Json, scene: TankScene, out: Console) -> None:
    _heading(out, "Tanks 3. Count: expected, read and true tanks of every tile")
    labelled = client.classify(placed["id"]).document
    truth = _true_classes(client, scene)
    out.print(indent(counts_table(labelled, scene.counts, truth)))
    alone = sum(tile["lr_label"] == truth[tile["tile"]] for tile in labelled["tiles"])
    out.print(
        f"\nBrackets hold 95 % intervals. {alone} of {len(truth)} classes are right from LR only. "
        "The true number counts annotated boxes by their centre."
    )
    out.print(f"Licence of plan and labels: {labelled['licence']}, not for sale.")


def _true_classes(client: Client, scene: TankScene) -> list[str]:
    bundle = next(one for one in client.items("/v1/bundles") if one["name"] == BUNDLE)
    return true_classes(scene.counts, CUT.bins, bundle["classes"])


def _next_round(client: Client, placed: Json, scene: TankScene, out: Console) -> list[Json]:
    """Plan what else is worth buying, and buy it if it is; return the plans that were ordered."""
    _heading(out, f"Tanks 4. Next round: what else is worth buying, if a tank is worth {WORTH_EACH} USD")
    try:
        planned = client.next_round(placed["id"], max_cost=SPEND_AGAIN, worth_each=WORTH_EACH).document
    except ProblemError as error:
        out.print(f"No next round: {error}")
        return []
    out.print(indent(facts(round_rows(planned))))
    if not (planned["round"]["worth_it"] and planned["patches"]["bought"]):
        return []
    out.print()
    again = _ordered(client, planned, scene, out)
    labelled = client.classify(again["id"]).document
    truth = _true_classes(client, scene)
    right = sum(tile["label"] == truth[tile["tile"]] for tile in labelled["tiles"])
    out.print(
        f"Tanks counted in the scene now: {count_text(labelled['summary']['objects']['total'])}. "
        f"True: {scene.counts.sum():,}. {right} of {len(truth)} classes are right."
    )
    return [planned]


def _compare(rounds: Sequence[Json], scene: TankScene, out: Console) -> None:
    _heading(out, "Tanks 5. The same money spent on the middle of each tile (Fixed-H)")
    shape = scene.counts.shape
    area = float(rounds[0]["scene"]["planned_km2"])
    terms = Terms(patch_km2=area / scene.counts.size, minimum_km2=MINIMUM_KM2)
    usd = sum(float(planned["cost"]["amount"]) for planned in rounds)
    bought = np.any([_bought(planned, scene) for planned in rounds], axis=0)
    choices = [
        Choice(name="Loupe", bought=bought, usd=usd),
        fixed_h_for(usd, shape, terms),
        fixed_h_like(PATCHES * bought.mean(), shape, terms),
        everything(shape, terms),
    ]
    out.print(indent(money_table(choices, scene.counts)))
    out.print(
        f"\nFixed-H buys a polygon in every tile, each billed {MINIMUM_KM2:g} km2 at least; the whole scene "
        "is cheaper. One scene is an illustration, not a measurement: "
        f"{CARD} has the figures of the test sites."
    )


def _bought(planned: Json, scene: TankScene) -> Mask:
    return bought_mask(planned["tiles"], scene.counts.shape)


def _heading(out: Console, words: str) -> None:
    out.print(f"\n{words}", style="bold")
