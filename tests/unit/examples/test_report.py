"""Tables and sentences that the demo prints."""

import io
from typing import Any

from rich.console import Console, RenderableType

from examples.demo.report import count_right, measured, movements_table, truth_table
from tests.support.bundles import usd

TRUTH = ("beach", "river", "forest")


def shown(content: RenderableType) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=100, highlight=False, markup=False).print(content)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def make_labels() -> dict[str, Any]:
    """Return labels of three tiles: the patches correct the first, spoil the second and leave the third."""
    rows = [("river", "beach", 5), ("river", "harbor", 2), ("forest", "forest", 0)]
    tiles = [
        {"tile": tile, "lr_label": alone, "label": label, "patches_bought": bought}
        for tile, (alone, label, bought) in enumerate(rows)
    ]
    return {"tiles": tiles}


def test_count_right_compares_each_tile_with_its_truth() -> None:
    turned = {"tiles": make_labels()["tiles"][::-1]}  # the tile's number counts, not its place in the list

    assert count_right(turned, ("beach", "harbor", "river"), "label") == 2
    assert count_right(turned, ("beach", "harbor", "river"), "lr_label") == 0


def test_truth_table_judges_each_label_and_adds_up() -> None:
    assert shown(truth_table(make_labels(), TRUTH)) == [
        "Tile   Bought  Label from LR         LR + bought HR         Truth",
        "   0  5 of 16  river          wrong  beach           right  beach",
        "   1  2 of 16  river          right  harbor          wrong  river",
        "   2  0 of 16  forest         right  forest          right  forest",
        " all  7 of 48  2 of 3         right  2 of 3          right",
    ]


def test_movements_table_adds_up_each_kind_from_the_oldest() -> None:
    entries = [
        {"seq": 3, "kind": "settle", "amount": usd("0.02")},
        {"seq": 2, "kind": "settle", "amount": usd("0.01")},
        {"seq": 1, "kind": "reserve", "amount": usd("0.03")},
    ]

    assert shown(movements_table(entries)) == [
        "Movement    Amount",
        "reserve   0.03 USD",
        "settle    0.03 USD",
    ]


def test_measured_states_the_curve_at_the_bundles_threshold() -> None:
    curve = [
        {"threshold": 0.0, "mean_patches": 16.0, "accuracy": 0.979},
        {"threshold": 0.5, "mean_patches": 4.2, "accuracy": 0.9643},
        {"threshold": 1.01, "mean_patches": 0.0, "accuracy": 0.7},
    ]
    bundle = {"name": "tiny", "threshold": 0.5, "curve": curve, "evaluation": {"test": {"images": 420}}}

    assert measured(bundle, "CARD.md") == (
        "The measured accuracy of the bundle tiny on 420 test images is 70.0% from LR only, 96.4% with 4.2 "
        "bought patches per tile and 97.9% with all 16 (CARD.md)."
    )
