"""Documents of the API on a terminal: every figure is named, and no cell is cut."""

from typing import Any

import pytest

from service.terminal.documents import (
    bundles_view,
    classification_view,
    order_view,
    plan_view,
    price_lists_view,
    savings_view,
)
from service.terminal.ledger import budgets_view, ledger_view
from tests.support.bundles import usd
from tests.support.terminal import shown

SAVINGS = {
    "list": usd("0.50", baseline="the area of every patch at the list price"),
    "billable": usd("0.48", baseline="the bill for every patch"),
    "realised": None,
}


def make_plan(**overrides: Any) -> dict[str, Any]:
    tiles = [{"tile": 0, "row": 0, "column": 0, "status": "planned", "buy": [0, 5]}]
    scene = {"columns": 1, "rows": 1, "tile_m": 78.0288, "planned_km2": 0.006088, "tiles_without_data": 0}
    plan = {
        "scene": scene,
        "decision": "Buys 2 of 16 patches: utility of at least 0.5.",
        "patches": {"bought": 2, "filled": 0, "total": 16},
        "cost": usd("0.25"),
        "baseline": usd("0.73"),
        "billable_km2": "0.025",
        "savings": SAVINGS,
        "bound": {"measure": "cost", "reached": 0.25, "bound": 0.25, "gap": 0.0},
        "tiles": tiles,
        "provenance": {
            "price_list": {"name": "example-no-minimum", "version": 1, "example": True},
            "bundle": {"name": "tiny", "version": "1"},
        },
    }
    return plan | overrides


def test_plan_view_shows_the_bound_of_a_plan_with_a_gap() -> None:
    for measure, words in (("utility", "no plan can exceed"), ("cost", "no plan can go below")):
        bound = {"measure": measure, "reached": 12.5, "bound": 13.25, "gap": 0.75}
        assert f"Bound       {measure} 12.5; {words} 13.25" in shown(plan_view(make_plan(bound=bound)))


def test_plan_view_shows_grid_decision_cost_and_savings() -> None:
    assert shown(plan_view(make_plan())) == [
        "# buy   . leave",
        "",
        "tile 0",
        "# . . .",
        ". # . .",
        ". . . .",
        ". . . .",
        "",
        "Scene       1 tile of 78 m, 0.006088 km2",
        "Decision    Buys 2 of 16 patches: utility of at least 0.5.",
        "Cost        0.25 USD for 0.02500 km2 billed",
        "Baseline    0.73 USD for all 16 patches",
        "Price list  example-no-minimum version 1, an example",
        "Bundle      tiny version 1",
        "",
        "Saving             Amount  Compared with",
        "list saving      0.50 USD  the area of every patch at the list price",
        "billable saving  0.48 USD  the bill for every patch",
        "realised saving         -  never at example prices",
    ]


def test_saving_of_a_plan_at_real_prices_is_known_later() -> None:
    plan = make_plan()
    plan["provenance"]["price_list"]["example"] = False

    assert shown(plan_view(plan))[-1] == "realised saving         -  known once every patch is delivered"


def test_plan_view_without_tiles_shows_the_figures() -> None:
    lines = shown(plan_view(make_plan(tiles=None)))

    assert lines[0].startswith("Scene")
    assert "Cost        0.25 USD for 0.02500 km2 billed" in lines


def test_plan_view_counts_tiles_without_data() -> None:
    scene = make_plan()["scene"] | {"tiles_without_data": 3}

    assert "; 3 tiles without data, not planned" in "\n".join(shown(plan_view(make_plan(scene=scene))))


@pytest.mark.parametrize(
    ("mode", "row"),
    [
        (
            "owned",
            "Reuse       3 patches owned and 2 on order (0.002002 km2) in 1 order, not bought again: "
            "saves 0.12 USD",
        ),
        ("none", "Reuse       none, although 3 patches owned and 2 on order (0.002002 km2) in 1 order"),
    ],
)
def test_plan_view_says_what_is_owned_or_on_order(mode: str, row: str) -> None:
    reuse = {
        "mode": mode, "owned": 3, "on_order": 2, "area_km2": "0.002002", "orders": [{"order": "1"}],
        "saved": usd("0.12"),
    }  # fmt: skip
    assert row in shown(plan_view(make_plan(reuse=reuse)), width=120)


def test_plan_view_says_how_the_scene_was_read() -> None:
    scene = make_plan()["scene"] | {"bands": [3, 2, 1], "bands_from": "as stated", "radiometry": "as it is"}
    lines = shown(plan_view(make_plan(scene=scene)))

    assert "Bands       3,2,1 as stated" in lines
    assert "Numbers     as it is" in lines


def test_plan_view_has_no_row_where_nothing_is_reused() -> None:
    reuse = {"mode": "owned", "owned": 0, "on_order": 0, "saved": usd("0.00")}
    assert not any(line.startswith("Reuse") for line in shown(plan_view(make_plan(reuse=reuse))))


def test_order_view_shows_status_and_money() -> None:
    amounts = {"total": usd("0.25"), "held": usd("0.10"), "settled": usd("0.15"), "released": usd("0.00")}
    counts = {"bought": 3, "delivered": 2, "awaited": 1}
    order = {"id": "an-id", "status": "user_cancelled", "amounts": amounts, "counts": counts}

    assert shown(order_view(order)) == [
        "Order   an-id",
        "Status  user cancelled: 2 of 3 patches delivered",
        "Money   0.15 USD settled, 0.10 USD held, 0.00 USD released, of 0.25 USD",
    ]
    labelled = order | {"tags": {"team": "north"}, "cost_center": "4711"}
    assert "Labels  cost centre 4711, team=north" in shown(order_view(labelled))


def make_labels(tiles: int = 1, **overrides: Any) -> dict[str, Any]:
    tile = {
        "label": "harbour", "confidence": 0.914, "lr_label": "river", "lr_confidence": 0.4,
        "patches_used": 5, "patches_bought": 6,
    }  # fmt: skip
    summary = {"tiles": tiles, "changed": 1, "labels": [{"label": "harbour", "tiles": tiles}]}
    labelled = [tile | {"tile": number} for number in range(tiles)]
    return {"complete": True, "summary": summary, "tiles": labelled} | overrides


def test_classification_view_shows_label_and_lr_only_label() -> None:
    assert shown(classification_view(make_labels())) == [
        "Tile  Label    Confidence  LR-only label  Confidence  Patches",
        "   0  harbour         91%  river                 40%   5 of 6",
        "",
        "1 tile: 1 labelled harbour.",
        "The patches changed the label of 1 tile.",
    ]


def test_classification_view_shows_counts_where_the_bundle_counts() -> None:
    labels = make_labels()
    count, lr_count = ({"expected": one, "low": 6, "high": 12} for one in (8.7, 9.2))
    labels["tiles"] = [tile | {"count": count, "lr_count": lr_count} for tile in labels["tiles"]]
    labels["summary"]["objects"] = {
        "name": "oil tanks", "level": 0.95, "total": count, "lr_total": lr_count, "read": 8.0,
    }  # fmt: skip
    lines = shown(classification_view(labels), 120)
    assert lines[0].endswith("Count  LR-only count  Patches")
    assert lines[1].endswith("8.7 (6 to 12)  9.2 (6 to 12)   5 of 6")
    assert any(line.startswith("Total oil tanks: 8.7 (6 to 12)") for line in lines)


def test_classification_view_counts_labels() -> None:
    assert "2 tiles: 2 labelled harbour." in shown(classification_view(make_labels(tiles=2)))


def test_classification_view_marks_an_incomplete_order() -> None:
    lines = shown(classification_view(make_labels(complete=False)))

    assert lines[-1] == "Some bought patches are not delivered yet, so these labels may change."


def test_classification_view_shows_the_first_labels_and_counts_the_rest() -> None:
    lines = shown(classification_view(make_labels(tiles=1380)))

    assert "... 1,340 more; --json prints them all." in lines
    assert "1,380 tiles: 1,380 labelled harbour." in lines


def test_savings_view_names_each_baseline_per_currency() -> None:
    counts = {"orders": 3, "completed": 0, "open": 1, "held": 0, "cancelled": 2}
    ordered = {"ordered": usd("0.48", baseline="the bill for every patch")}
    savings = SAVINGS | ordered | {"example": None}
    entry = {"currency": "USD", "settled": usd("0.00"), "savings": savings, "returned_patches": 2} | counts
    stated = {"returned": usd("0.10"), "definition": "Realised saving = a formula."}
    report = {"currencies": [entry | stated]}

    lines = shown(savings_view(report))

    assert lines[0] == "USD: 3 orders (0 completed, 1 open, 0 held, 2 cancelled), 0.00 USD spent"
    table = [line.split() for line in lines if " saving " in line and "=" not in line and "side" not in line]
    assert [line[:2] for line in table] == [
        ["realised", "saving"], ["ordered", "saving"], ["list", "saving"], ["held", "saving"],
        ["reused", "saving"],
    ]  # fmt: skip
    assert table[1] == ["ordered", "saving", "0.48", "USD", "the", "bill", "for", "every", "patch"]
    assert "  2 patches refunded as unusable: 0.10 USD, on neither side of the saving" in lines
    assert lines[-1] == "  Realised saving = a formula."


def test_savings_view_without_orders_says_so() -> None:
    assert shown(savings_view({"currencies": []})) == [
        "Nothing has been ordered yet, so nothing has been saved."
    ]


def test_budgets_view_and_ledger_view_never_cut_a_cell() -> None:
    budget: dict[str, Any] = {"name": "harvest", "id": "c1a5e7a0-1111-4222-8333-444455556666"}
    budget |= {name: usd("1234567.89") for name in ("limit", "spent", "held", "available")}
    entry: dict[str, Any] = {
        "at": "2026-11-22T17:00:00.123Z",
        "kind": "settle",
        "amount": usd("0.01"),
        "budget": "harvest",
    }
    entry |= {"seq": 7, "reference": "delivery:7d9f0a52-3a1c-4bb5-8a0e-2a7f3f1f9c11/1379/15"}

    (_, budget_line) = shown(budgets_view([budget]), 120)
    (_, ledger_line) = shown(ledger_view([entry]), 120)

    assert budget_line.endswith("1234567.89 USD  c1a5e7a0-1111-4222-8333-444455556666")
    assert ledger_line.lstrip().startswith("7  2026-11-22 17:00:00  settle")
    assert ledger_line.endswith("delivery:7d9f0a52-3a1c-4bb5-8a0e-2a7f3f1f9c11/1379/15")


def test_price_lists_view_names_the_bands_that_are_delivered() -> None:
    prices = {
        "name": "acme",
        "version": 2,
        "gsd_m": "0.5",
        "currency": "EUR",
        "price_per_km2": "19.5",
        "price_per_scene": None,
        "tiers": [],
        "minimum_km2": "0",
        "minimum_applies_to": "order",
        "minimum_charge": "0",
        "areas_summed": True,
        "minimum_width_m": "0",
        "convex": False,
        "max_vertices": None,
        "holes": False,
        "max_parts": 200,
        "minimum_part_km2": "0.25",
        "maximum_part_km2": None,
        "delivery_bands": "3,2,1",
    }
    text = " ".join(" ".join(shown(price_lists_view([prices]), width=160)).split())
    limits = "at most 200 shapes, shapes of at least 0.25 km2"
    assert text.endswith(f"no holes, {limits}, red, green and blue delivered as bands 3,2,1")


CERTIFIED = (("labels", 0.05), ("objects", 0.1), ("objects", 0.2))


def test_bundles_view_names_default_tasks_and_licence() -> None:
    bundle = {
        "name": "tanks", "version": "1.0", "default": True, "objects": "oil tanks",
        "classes": ["0", "1 or more"], "tasks": [{"task": "label"}, {"task": "find"}],
        "tile_m": 768.0, "lr_gsd_m": 10.105,
        "licence": "CC BY-NC-SA 4.0", "sha256": "0123456789abcdef",
        "guarantees": [{"loss": loss, "at_most": share} for loss, share in CERTIFIED], "second_look": True,
    }  # fmt: skip
    other = bundle | {"name": "tiny", "default": False, "objects": None, "licence": None, "guarantees": []}
    words = " ".join(" ".join(shown(bundles_view([bundle, other]))).split())
    # Long cells are broken over lines.
    parts = ("tanks@1.0", "(default)", "oil tanks", "label, find", "BY-NC-SA", "0123456789ab")
    for part in (*parts, "labels: 5%", "objects: 10,"):
        assert part in words
    for part in ("tiny@1.0", "2 classes", "not stated"):
        assert part in words
    assert words.count("(default)") == 1
