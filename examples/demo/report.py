"""Tables and sentences of the demo: labels beside the truth, the ledger, and the measured accuracy."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from rich.console import RenderableType
from rich.text import Text

from loupe.answers.base import Json
from models.grid import GRID
from service.terminal.blocks import money
from service.terminal.tables import Cell, columns

PATCHES = GRID * GRID
TITLES = ("Tile", "Bought", "Label from LR", "", "LR + bought HR", "", "Truth")


def count_right(labelled: Json, truth: Sequence[str], which: str) -> int:
    """Count the tiles whose `which`, `label` or `lr_label`, is the truth."""
    return sum(tile[which] == truth[tile["tile"]] for tile in labelled["tiles"])


def truth_table(labelled: Json, truth: Sequence[str]) -> RenderableType:
    """Return each tile's label from LR only and with the bought patches beside the truth, and the totals."""
    tiles = labelled["tiles"]
    rows: list[Sequence[Cell]] = []
    for tile in tiles:
        known = truth[tile["tile"]]
        bought = f"{tile['patches_bought']} of {PATCHES}"
        labels = (*_judged(tile["lr_label"], known), *_judged(tile["label"], known))
        rows.append((str(tile["tile"]), bought, *labels, known))
    bought = f"{sum(tile['patches_bought'] for tile in tiles)} of {PATCHES * len(tiles)}"
    alone, sure = (
        f"{count_right(labelled, truth, which)} of {len(tiles)}" for which in ("lr_label", "label")
    )
    total = ("all", bought, alone, "right", sure, "right", "")
    rows.append([Text(cell, "bold") for cell in total])
    return columns(TITLES, rows, right={"Tile", "Bought"})


def _judged(label: str, truth: str) -> tuple[Text, Text]:
    right = label == truth
    return Text(label), Text("right" if right else "wrong", "green" if right else "bold red")


def movements_table(entries: Sequence[Json]) -> RenderableType:
    """Return the sum of each kind of movement in the ledger, in the order of their first entries."""
    sums: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for entry in sorted(entries, key=lambda one: int(one["seq"])):
        amount = entry["amount"]
        sums[entry["kind"], amount["currency"]] += Decimal(amount["amount"])
    rows = [(kind, money({"amount": total, "currency": unit})) for (kind, unit), total in sums.items()]
    return columns(("Movement", "Amount"), rows, right={"Amount"})


def measured(bundle: Json, card: str) -> str:
    """Return the accuracy of a bundle on its test split, as a sentence that names its card."""
    points = sorted(bundle["curve"], key=lambda point: float(point["mean_patches"]))
    chosen = next(point for point in points if point["threshold"] == bundle["threshold"])
    alone, policy, whole = (f"{point['accuracy']:.1%}" for point in (points[0], chosen, points[-1]))
    images, mean = bundle["evaluation"]["test"]["images"], chosen["mean_patches"]
    return (
        f"The measured accuracy of the bundle {bundle['name']} on {images} test images is {alone} from LR "
        f"only, {policy} with {mean:.1f} bought patches per tile and {whole} with all {PATCHES} ({card})."
    )
