"""Terminal views of reports that are divided into groups and steps."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from loupe.answers.base import Json
from service.terminal.blocks import money, plural
from service.terminal.tables import Line, columns

NO_LABEL = "(none)"
"""Name of the group of orders or charges without such a label."""


def savings_groups_view(report: Json) -> RenderableType:
    """Return one line per group; the lines add up to the report."""
    places = _places(report["groups"])
    titles = ("Realised saving", "Ordered saving", "Held saving", "Paid")
    rows = [
        (
            *_place(one, places),
            f"{one['orders']:,}",
            _known(one["realised_saving"]),
            *(money(one[name]) for name in ("ordered_saving", "held_saving", "settled")),
        )
        for one in report["groups"]
    ]
    totals = [
        f"{entry['currency']}: {plural(entry['orders'], 'order')}, realised saving "
        f"{_known(entry['savings']['realised'])}, ordered saving {money(entry['savings']['ordered'])}, "
        f"{money(entry['settled'])} paid"
        for entry in report["currencies"]
    ]
    table = columns((*places, "Orders", *titles), rows, right={"Orders", *titles})
    return Group(table, *(Line(total, "bold") for total in totals))


def _known(saving: Json | None) -> str:
    return "-" if saving is None else money(saving)


def spend_view(report: Json) -> RenderableType:
    """Return one line per group; the lines add up to the totals below."""
    if not report["groups"]:
        return Text("Nothing has been paid yet.")
    places = _places(report["groups"])
    titles = ("Purchased", "Refunded", "Charged later", "Net")
    names = ("purchased", "credited", "adjusted", "net")
    rows = [
        (*_place(one, places), f"{one['charges']:,}", *(money(one[name]) for name in names))
        for one in report["groups"]
    ]
    totals = [
        f"{entry['currency']}: {plural(entry['charges'], 'charge')}, {money(entry['net'])} net"
        for entry in report["currencies"]
    ]
    table = columns((*places, "Charges", *titles), rows, right={"Charges", *titles})
    return Group(table, *(Line(total, "bold") for total in totals))


def _places(groups: Sequence[Json]) -> tuple[str, ...]:
    """Return the titles that say what a line is about, without those that would be empty."""
    days = ("From", "To") if groups[0]["first_day"] else ()
    named = any(one["group"] for one in groups) or not days
    return (*days, "Group") if named else days


def _place(one: Json, places: Sequence[str]) -> list[str]:
    cells = {"From": one["first_day"], "To": one["last_day"], "Group": one["group"] or NO_LABEL}
    return [cells[title] for title in places]
