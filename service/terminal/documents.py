"""Terminal views of the documents of the HTTP API: plans, orders, labels, savings."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from loupe.answers.base import Json
from service.pricing.wording import price_in_words, rules_in_words
from service.terminal.blocks import format_area, indent, money, plural, tile_blocks
from service.terminal.counts import (
    bundle_row,
    certified,
    count_text,
    guarantee_rows,
    object_rows,
    prior_rows,
    round_rows,
    total_lines,
)
from service.terminal.labels import score_text
from service.terminal.tables import Line, columns, facts
from service.terminal.wording import plainly
from service.web.licences import licence_note

LABELS_SHOWN = 40
PLAN_SAVINGS = ("list", "billable", "realised")
REPORTED_SAVINGS = ("realised", "example", "ordered", "list", "held", "reused")
KNOWN_LATER = "known once every patch is delivered"
KNOWN_LATER_AT_REAL_PRICES = "known once every patch of an order at real prices is delivered"
"""When a realised saving will be known, where some orders are at example prices."""


def plan_view(plan: Json) -> Group:
    """Return a plan's tile grids, cost and savings."""
    parts: list[RenderableType] = []
    if plan.get("tiles"):
        parts += [tile_blocks(plan["tiles"], plan["scene"]["columns"]), Text()]
    return Group(*parts, plan_figures(plan))


def plan_figures(plan: Json) -> RenderableType:
    """Return a plan's decision, cost and savings, without the tile grids."""
    scene, patches = plan["scene"], plan["patches"]
    prices = plan["provenance"]["price_list"]
    tiles = plural(scene["columns"] * scene["rows"], "tile")
    rows = [
        (
            "Scene",
            f"{tiles} of {scene['tile_m']:.0f} m, {format_area(scene['planned_km2'])}{_no_data(scene)}",
        ),
        *_reading_rows(scene),
        ("Decision", str(plan["decision"])),
        *guarantee_rows(plan),
        *object_rows(plan),
        *prior_rows(plan),
        *round_rows(plan),
        ("Cost", f"{money(plan['cost'])} for {format_area(plan['billable_km2'])} billed"),
        ("Baseline", f"{money(plan['baseline'])} for all {plural(patches['total'], 'patch')}"),
        *_reuse_rows(plan.get("reuse")),
        *_bound_rows(plan["bound"]),
        ("Price list", f"{prices['name']} version {prices['version']}" + ", an example" * prices["example"]),
        bundle_row(plan),
        *_warnings(plan),
    ]
    unknown = "never at example prices" if prices["example"] else KNOWN_LATER
    return Group(facts(rows), Text(), savings_table(plan["savings"], unknown=unknown))


def _reading_rows(scene: Json) -> list[tuple[str, str]]:
    """Return which bands were taken as colours, and how their numbers were read."""
    if not scene.get("bands_from"):
        return []
    bands = ",".join(map(str, scene["bands"]))
    return [("Bands", f"{bands} {scene['bands_from']}"), ("Numbers", str(scene["radiometry"]))]


def _reuse_rows(reuse: Json | None) -> list[tuple[str, str]]:
    """Return what is owned or on order and what that saves; no row when it is nothing."""
    if not reuse or not reuse["owned"] + reuse["on_order"]:
        return []
    patches = f"{plural(reuse['owned'], 'patch')} owned and {reuse['on_order']:,} on order"
    ground = f"{patches} ({format_area(reuse['area_km2'])})"
    orders = plural(len(reuse["orders"]), "order")
    if reuse["mode"] == "none":
        return [("Reuse", f"none, although {ground} in {orders}")]
    return [("Reuse", f"{ground} in {orders}, not bought again: saves {money(reuse['saved'])}")]


def _bound_rows(bound: Json | None) -> list[tuple[str, str]]:
    """Return how far the plan may be from the optimum; no row when it is optimal."""
    if not bound or not bound["gap"]:
        return []
    limit = "no plan can go below" if bound["measure"] == "cost" else "no plan can exceed"
    return [("Bound", f"{bound['measure']} {bound['reached']:.6g}; {limit} {bound['bound']:.6g}")]


def _no_data(scene: Json) -> str:
    empty = scene["tiles_without_data"]
    return f"; {plural(empty, 'tile')} without data, not planned" if empty else ""


def savings_table(
    savings: Json, kinds: Sequence[str] = PLAN_SAVINGS, unknown: str = KNOWN_LATER
) -> RenderableType:
    """Return savings, each with its baseline; `unknown` says when one that is not known yet will be."""
    rows = []
    for kind in kinds:
        saving = savings.get(kind)
        against = unknown if saving is None else saving["baseline"]
        rows.append((f"{kind} saving", money(saving), against))
    return columns(("Saving", "Amount", "Compared with"), rows, right={"Amount"})


def price_lists_view(lists: Sequence[Json]) -> RenderableType:
    """Return price lists with their prices and rules."""
    rows = [
        (
            f"{one['name']} v{one['version']}",
            f"{one['gsd_m']} m",
            price_in_words(one),
            ", ".join(rules_in_words(one)) or "none",
        )
        for one in lists
    ]
    return columns(("Price list", "Pixels", "Price", "Rules"), rows)


def bundles_view(bundles: Sequence[Json]) -> RenderableType:
    """Return bundles with what they label or count, their tiles and their licences."""
    rows = [
        (
            f"{one['name']}@{one['version']}" + " (default)" * one["default"],
            one["objects"] or plural(len(one["classes"]), "class"),
            ", ".join(task["task"] for task in one["tasks"]),
            certified(one),
            "yes" if one["second_look"] else "no",
            f"{one['tile_m']:.0f} m",
            licence_note(one["licence"]) or "not stated",
            one["sha256"][:12],
        )
        for one in bundles
    ]
    titles = ("Bundle", "Labels", "Tasks", "Guarantees", "Second look", "Tiles", "Licence", "SHA-256")
    return columns(titles, rows)


def order_view(order: Json) -> RenderableType:
    """Return an order's status, money and warnings."""
    counts, amounts = order["counts"], order["amounts"]
    came = f"{counts['delivered']:,} of {plural(counts['bought'], 'patch')} delivered"
    held, settled, released = (money(amounts[name]) for name in ("held", "settled", "released"))
    rows = [
        ("Order", str(order["id"])),
        ("Status", f"{order['status'].replace('_', ' ')}: {came}"),
        ("Money", f"{settled} settled, {held} held, {released} released, of {money(amounts['total'])}"),
    ]
    if labels := _labels(order):
        rows.append(("Labels", labels))
    if final := order.get("final_bill"):
        bill = f"{money(final['billed'])} for what came, {money(final['difference'])} of it at the end"
        rows.append(("Bill", bill))
    return facts(rows + _warnings(order))


def _labels(order: Json) -> str:
    """Return the cost centre and the tags of an order; empty without any."""
    center = [f"cost centre {order['cost_center']}"] if order.get("cost_center") else []
    return ", ".join([*center, *(f"{name}={value}" for name, value in order.get("tags", {}).items())])


def _warnings(document: Json) -> list[tuple[str, str]]:
    """Return a row for each warning of a plan, an order or a delivery's checks."""
    return [("Warning", plainly(str(warning["detail"]))) for warning in document.get("warnings", ())]


def classification_view(labelled: Json) -> RenderableType:
    """Return each tile's label beside the label from low resolution only."""
    tiles, summary = labelled["tiles"], labelled["summary"]
    counts = bool(summary.get("objects"))
    numbers = ("Count", "LR-only count") * counts
    titles = ("Tile", "Label", "Confidence", "LR-only label", "Confidence", *numbers, "Patches")
    rows = [_label_row(tile, counts=counts) for tile in tiles[:LABELS_SHOWN]]
    parts: list[RenderableType] = [columns(titles, rows, right={"Tile", "Confidence", "Patches", *numbers})]
    if len(tiles) > LABELS_SHOWN:
        parts.append(Text(f"... {len(tiles) - LABELS_SHOWN:,} more; --json prints them all.", "dim"))
    labels = ", ".join(f"{entry['tiles']:,} labelled {entry['label']}" for entry in summary["labels"])
    parts.append(Text(f"\n{plural(summary['tiles'], 'tile')}: {labels}."))
    parts += total_lines(labelled)
    parts.append(Text(f"The patches changed the label of {plural(summary['changed'], 'tile')}."))
    if not labelled["complete"]:
        parts.append(Text("Some bought patches are not delivered yet, so these labels may change."))
    if labelled.get("outdated"):
        since = labelled["outdated_since"][:16].replace("T", " ")
        parts.append(Text(f"Patches were delivered after these labels, since {since} UTC. Classify again."))
    return Group(*parts)


def _label_row(tile: Json, *, counts: bool) -> list[str]:
    used = f"{tile['patches_used']} of {tile['patches_bought']}"
    if reused := tile.get("patches_reused"):
        used += f" + {reused} reused"
    sure, sure_alone = f"{tile['confidence']:.0%}", f"{tile['lr_confidence']:.0%}"
    numbers = [count_text(tile["count"]), count_text(tile["lr_count"])] if counts else []
    return [str(tile["tile"]), tile["label"], sure, tile["lr_label"], sure_alone, *numbers, used]


def savings_view(report: Json) -> RenderableType:
    """Return the savings so far per currency."""
    if not report["currencies"]:
        return Text("Nothing has been ordered yet, so nothing has been saved.")
    parts: list[RenderableType] = []
    for entry in report["currencies"]:
        kinds = ", ".join(f"{entry[kind]} {kind}" for kind in ("completed", "open", "held", "cancelled"))
        orders = f"{plural(entry['orders'], 'order')} ({kinds})"
        parts.append(Line(f"{entry['currency']}: {orders}, {money(entry['settled'])} spent", "bold"))
        savings = entry["savings"]
        shown = [kind for kind in REPORTED_SAVINGS if kind != "example" or savings["example"]]
        unknown = KNOWN_LATER_AT_REAL_PRICES if savings["example"] else KNOWN_LATER
        parts.append(indent(savings_table(savings, shown, unknown)))
        if entry["returned_patches"]:
            came_back = f"{plural(entry['returned_patches'], 'patch')} refunded as unusable"
            parts.append(
                indent(Line(f"{came_back}: {money(entry['returned'])}, on neither side of the saving"))
            )
        if proven := entry.get("proven_labels"):
            parts.append(indent(Text(_proven(proven))))
        parts.append(indent(Text(plainly(entry["definition"]), "dim")))
    return Group(*parts)


def _proven(proven: Json) -> str:
    per_unit = proven["right_per_unit"]
    rate = "" if per_unit is None else f", {per_unit:,.3g} for each {proven['paid']['currency']} paid"
    return f"Labels proven right: {score_text(proven)}{rate}; {proven['lr_right']:,} from low resolution only"


def order_savings_view(orders: Sequence[Json]) -> RenderableType:
    """Return one line per order, newest first; `loupe trace` takes the id. The lines add up to the report."""
    rows = [
        (
            one["order"],
            one["status"].replace("_", " "),
            *(money(one["savings"][kind]) for kind in ("realised", "ordered")),
            *(money(one[name]) for name in ("baseline", "net")),
        )
        for one in orders
    ]
    amounts = ("Realised saving", "Ordered saving", "Baseline", "Paid")
    return columns(("Order", "Status", *amounts), rows, right=set(amounts))
