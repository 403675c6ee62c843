"""Terminal view of the alternatives of a plan or an order."""

from rich.console import Group, RenderableType
from rich.text import Text

from loupe.answers.base import Json
from service.terminal.blocks import money
from service.terminal.tables import Line, columns
from service.terminal.wording import plainly

_WAYS = {
    "nothing": "Nothing", "plan": "This plan", "central": "Same money, central patches",
    "random": "Same money, random patches", "everything": "Everything",
}  # fmt: skip


def alternatives_view(found: Json) -> Group:
    """Return the ways to spend the money, then the other price lists, then what is left out."""
    parts: list[RenderableType] = [_spending(found["spending"])]
    if found["price_lists"]:
        parts += [Text(), _price_lists(found)]
    parts += [
        Text(f"\nNot compared: {one['subject']}. {plainly(one['reason'])}") for one in found["left_out"]
    ]
    if saving := found.get("realised"):
        parts.append(Line(f"\nRealised saving against buying everything: {money(saving)}."))
    return Group(*parts, Text(f"\n{plainly(found['source'])}", "dim"))


def _spending(ways: list[Json]) -> RenderableType:
    counts = any(one["expected"] for one in ways)
    expected = ("Objects expected", "Labels expected") * counts
    titles = ("Way", "Cost", "Patches", "Measured accuracy", *expected)
    return columns(titles, [_way_row(one, counts=counts) for one in ways], right=set(titles[1:]))


def _way_row(one: Json, *, counts: bool) -> list[str]:
    row = [_WAYS[one["way"]], money(one["cost"]), f"{one['patches']:,.10g}", _accuracy(one["measured"])]
    if not counts:
        return row
    here = one["expected"]
    shown = (("objects", "objects_share"), ("correct_labels", "correct_share"))
    return row + ["-" if here is None else f"{here[name]:,.1f} ({here[share]:.0%})" for name, share in shown]


def _accuracy(measured: Json | None) -> str:
    if measured is None:
        return "not measured"
    low, high = measured["interval"] or (None, None)
    spread = "" if low is None else f" ({low:.1%} to {high:.1%})"
    return f"{measured['accuracy']:.1%}{spread} at {measured['patches_per_tile']:.3g} per tile"


def _price_lists(found: Json) -> RenderableType:
    rows = [
        (
            f"{one['name']} v{one['version']}" + ", an example" * one["example"],
            money(one["bought"]),
            money(one["everything"]),
            money(one["difference"]),
            "cheapest" * (one["price_list"] == found["cheapest"]),
        )
        for one in found["price_lists"]
    ]
    titles = ("Other price list", "Same patches", "Everything", "Difference", "")
    return columns(titles, rows, right={"Same patches", "Everything", "Difference"})
