"""Terminal views of objects: those that a plan expects, those that a classification counts, and curves."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from loupe.answers.base import Json
from service.terminal.blocks import money, plural
from service.terminal.tables import columns
from service.web.licences import licence_note


def count_text(count: Json) -> str:
    """Format a count and its interval: "8.7 (6 to 12)"."""
    return f"{count['expected']:.1f} ({count['low']:,} to {count['high']:,})"


def object_rows(plan: Json) -> list[tuple[str, str]]:
    """Return the task of a plan and the objects that it expects; no row for a bundle that counts nothing."""
    objects = plan.get("objects")
    if not objects:
        return []
    name, scene = objects["name"], objects["scene"]
    found = (
        f"{objects['in_bought']:,.1f} of {scene['expected']:,.1f} expected {name} "
        f"({objects['share']:.0%}) lie in bought patches"
    )
    reused = f", {objects['in_reused']:,.1f} in reused ones" if objects["in_reused"] else ""
    held = f"The scene holds {scene['low']:,} to {scene['high']:,} with a probability of 95%."
    return [
        ("Task", f"{plan['task']}, utility: {plan['utility_unit']}"),
        ("Objects", f"{found}{reused}. {held}"),
    ]


def prior_rows(plan: Json) -> list[tuple[str, str]]:
    """Return the owned patches that were read before a new plan was made; no row when there was none."""
    prior = plan.get("prior")
    if not prior:
        return []
    orders = plural(len(prior["orders"]), "order")
    return [("Prior", f"{_read_text(prior, plan['objects']['name'])}, in patches of {orders}")]


def round_rows(plan: Json) -> list[tuple[str, str]]:
    """Return what was read before a plan of a later round, what remains, and whether it is worth an order."""
    found = plan.get("round")
    if not found:
        return []
    name, read, left = plan["objects"]["name"], found["read"], found["remainder"]
    rest = (
        f"{plural(left['patches'], 'patch')}: {count_text(left['objects'])} {name} expected now, "
        f"{left['expected_before']:,.1f} before"
    )
    rows = [
        ("Round", f"{found['number']}, after order {found['order']}"),
        ("Read", _read_text(read, name)),
        ("Remaining", rest),
    ]
    gains = [("This round", found["gain"]), ("Order before", found["gain_before"])]
    rows += [(title, _gain_text(gain, name)) for title, gain in gains]
    if same := found.get("same_money"):
        rows.append(("Same money", f"{_gain_text(same, name)}, if the order before had bought more"))
    if float(found["separate"]["amount"]):
        rows.append(("Two orders", f"cost {money(found['separate'])} more than one order of these patches"))
    return [*rows, ("Verdict", str(found["verdict"]))]


def _gain_text(gain: Json, name: str) -> str:
    return (
        f"{gain['objects']:,.1f} {name} and {gain['correct_labels']:,.1f} correct labels expected, "
        f"for {money(gain['cost'])}"
    )


def _read_text(read: Json, name: str) -> str:
    return (
        f"{plural(read['patches'], 'patch')}: {read['objects']:,.1f} {name}, {read['expected']:,.1f} expected"
    )


def guarantee_rows(plan: Json) -> list[tuple[str, str]]:
    """Return what a plan guarantees and what it does not; no row without a guarantee."""
    guarantee = plan.get("guarantee")
    if not guarantee:
        return []
    return [("Guarantee", str(guarantee["promise"])), ("Not guaranteed", str(guarantee["limits"]))]


def certified(bundle: Json) -> str:
    """Return the shares in % that a bundle certifies, a line for each loss; "none" without any."""
    shares: dict[str, list[str]] = {}
    for one in bundle["guarantees"]:
        shares.setdefault(one["loss"], []).append(f"{100 * one['at_most']:g}")
    return "\n".join(f"{loss}: {', '.join(found)}%" for loss, found in shares.items()) or "none"


def bundle_row(plan: Json) -> tuple[str, str]:
    """Return the bundle of a plan, and its licence if it states one."""
    bundle, note = plan["provenance"]["bundle"], licence_note(plan.get("licence"))
    return "Bundle", f"{bundle['name']} version {bundle['version']}" + f" ({note})" * bool(note)


def total_lines(labelled: Json) -> list[Text]:
    """Return the objects in all tiles of a classification, and its licence; no line for what it lacks."""
    lines, objects = [], labelled["summary"].get("objects")
    if objects:
        total, lr_total = count_text(objects["total"]), count_text(objects["lr_total"])
        lines.append(
            Text(
                f"Total {objects['name']}: {total}; from low resolution only: {lr_total}. "
                f"Brackets hold {objects['level']:.0%} intervals."
            )
        )
    if note := licence_note(labelled.get("licence")):
        lines.append(Text(f"Licence of the labels: {note}."))
    return lines


def curve_view(curve: Json, plan: Json) -> RenderableType:
    """Return the points of a plan's curve, cheapest first, and how they were measured."""
    if not curve["points"]:
        return Text(curve["source"])
    objects = plan.get("objects")
    titles = ["", "From utility", "Patches", "Cost", "Saving", "Measured accuracy"]
    if objects:
        name: str = objects["name"]
        titles += ["Measured found", f"{name[:1].upper()}{name[1:]} here", "Correct labels here"]
    rows = [_point_row(point, counts=bool(objects)) for point in curve["points"]]
    return Group(
        columns(titles, rows, right=set(titles[1:])),
        Text("\n* is the point nearest to the plan."),
        Text(curve["source"]),
    )


def _point_row(point: Json, *, counts: bool) -> Sequence[str]:
    interval = point["interval"]
    spread = f" ({interval[0]:.1%} to {interval[1]:.1%})" if interval else ""
    row = [
        "*" if point["chosen"] else "",
        f"{point['threshold']:.4g}",
        f"{point['patches']:,}",
        money(point["cost"]),
        money(point["saving"]),
        f"{point['expected_accuracy']:.1%}{spread}",
    ]
    if not counts:
        return row
    found, here = point["measured_found"], point["here"]
    return [
        *row,
        "-" if found is None else f"{found:.1%}",
        f"{here['objects']:,.1f} ({here['objects_share']:.0%})",
        f"{here['correct_labels']:,.1f} ({here['correct_share']:.0%})",
    ]
