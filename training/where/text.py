"""The Markdown of the report `where`, from its numbers. The module is pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.where.evidence import SHAPED, TARGET
from training.where.matching import MARGIN
from training.where.orders import ORACLE
from training.where.rows import LABEL_ORACLE, PER_TILE
from training.where.table import COMPARED, PATCHES_BOUGHT

COLUMNS = {
    "found": ("Objects in bought patches, %", 100, 1, COMPARED),
    "right": ("Tiles with the right class by count, read by the counter, %", 100, 1, PATCHES_BOUGHT),
    "right_perfect": ("Tiles with the right class by count, with perfect reading, %", 100, 1, PATCHES_BOUGHT),
    "count_error": ("Mean absolute error of a tile's count, read by the counter", 1, 2, PATCHES_BOUGHT),
    "count_error_perfect": (
        *("Mean absolute error of a tile's count, with perfect reading", 1, 2),
        PATCHES_BOUGHT,
    ),
}
"""Title, scale, digits and numbers of patches of each column."""
BY_COUNTER = ("right", "count_error")
"""Columns that say what the counter reads; without one they are those of perfect reading."""
ONLY = {ORACLE: ("found",), LABEL_ORACLE: ("right", "right_perfect")}
"""Columns of rows that know the truth: an upper bound of one column says nothing about the others."""
LEAST_SHOWN_KM2 = 1
"""Smallest minimum area at which rows are compared at equal money; the JSON has the others."""
JUDGED = {
    "own_lr": "own LR",
    "other_lr": "LR of a tile at another site",
    "whole_scenes": "own LR, tiles of the largest patches",
}
"""Printed names of the controls."""


_READ = {
    "counter": "Bought patches are read by the counter, unless the heading says otherwise.",
    "perfect": "Bought patches are read without errors: no counter was trained.",
}
"""Sentence of the head about the reading of bought patches."""


def where_markdown(document: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    """Return the whole report; `pictures` are file names by caption."""
    counted = document["reading"] == "counter"
    parts = [
        _head(document),
        *(_column(document["rows"], name) for name in COLUMNS if counted or name not in BY_COUNTER),
        _matched(document["matched"]),
        _presence(document["presence_auc"]),
        _gains(document["gains"]),
        _rivals(document["rivals"]) if document["rivals"] else "",
        _savings(document["bills"]),
        _equal_money(document["bills"]),
        _budgets(document["bills"]),
        controls_text(document["controls"]),
        _calibration(document["calibration"]),
        *(f"## {caption}\n\n![{caption}]({file})" for caption, file in pictures.items()),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _head(document: Mapping[str, Any]) -> str:
    folds = document["folds"]
    tested = (
        f"every site of folds {', '.join(folds)}, by networks of the other folds" if folds else "test sites"
    )
    return (
        "# Where to look: objects, labels, counts and dollars by what is bought\n\n"
        f"`{document['command']}`\nat commit `{str(document['commit'])[:12]}`, on {document['hardware']}; "
        f"{document['test_tiles']:,} tiles of {document['data']['tile_m']:g} m with "
        f"{document['test_objects']:,} objects at {document['test_sites']} sites ({tested}); "
        f"means over seeds {', '.join(map(str, document['seeds']))}.\n"
        f"S is the mean number of patches bought of 16. {_READ[document['reading']]} "
        "Intervals are 95 %, by a bootstrap over sites."
    )


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    title, scale, digits, shown = COLUMNS[name]
    head = ["order", "spending", *(f"S = {patches}" for patches in shown)]
    places = [PATCHES_BOUGHT.index(patches) for patches in shown]
    lines = [
        [row["order"], row["spending"], *(f"{scale * row[name][at]:.{digits}f}" for at in places)]
        for row in rows
        if name in ONLY.get(row["order"], COLUMNS)
    ]
    return f"## {title}\n\n{table(head, lines)}"


def _gains(gains: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        [gain["what"], gain["spending"], str(gain["patches"]), gain["rival"], _points(gain)] for gain in gains
    ]
    head = ["measure", "spending", "S", "best rival", "gain in points"]
    return f"## Gain over the best rival\n\nRivals use no network.\n\n{table(head, lines)}"


def _matched(sizes: Mapping[str, Mapping[str, float]]) -> str:
    orders = list(next(iter(sizes.values())))
    lines = [[reading, *(f"{by_order[one]:g}" for one in orders)] for reading, by_order in sizes.items()]
    return (
        "## Buying everything is matched\n\n"
        f"The least S from which on at most {100 * MARGIN:g} % of the labels are lost against buying "
        f"everything, with one budget over all tiles.\n\n{table(['bought patches', *orders], lines)}"
    )


def _presence(by_seed: Sequence[Sequence[float]]) -> str:
    shown = [f"{auc:.3f} [{low:.3f}, {high:.3f}]" for auc, low, high in by_seed]
    return (
        "## Presence of an object in a patch, from LR\n\n"
        f"Area under the ROC curve, by seed: {', '.join(shown) or 'not defined'}."
    )


def _rivals(rivals: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        [
            rival["name"],
            f"{rival['patches']:.2f}",
            *(
                text
                for what in ("found", "right")
                for text in (
                    f"{100 * rival[what]:.1f}",
                    f"{100 * rival[f'ours_{what}']:.1f}",
                    f"{100 * rival[f'{what}_low']:+.1f} to {100 * rival[f'{what}_high']:+.1f}",
                )
            ),
        ]
        for rival in rivals
    ]
    head = ["method", "S", "objects %", "ours at this S", "gain", "labels %", "ours at this S", "gain"]
    return (
        "## The paper's methods on the same tiles\n\n"
        "Each buys by its own policy and labels with its own classifier. "
        "Ours spends one budget over all tiles.\n\n" + table(head, lines)
    )


def _savings(bills: Sequence[Mapping[str, Any]]) -> str:
    names = list(bills[0]["saving"])
    lines = [
        [
            f"{bill['patch_m']:g} m",
            _minimum(bill),
            f"{bill['everything_usd']:,}",
            *(_saving(bill["saving"][name]) for name in names),
        ]
        for bill in bills
    ]
    head = ["patch", "minimum per polygon", "everything, USD", *names]
    return (
        f"## Billable saving where at least {100 * TARGET:g} % of the objects are found, %\n\n"
        "Against every scene bought whole, at 10 USD per km2. Patches that share an edge are one polygon, "
        "each billed at least the minimum, and a scene never costs more than the whole of it. The size is "
        f"the cheapest that finds {100 * TARGET:g} % of the objects of these scenes.\n\n" + table(head, lines)
    )


def _saving(numbers: Sequence[float]) -> str:
    share, low, high = (100 * number for number in numbers)
    return f"{share:.0f} [{low:.0f}, {high:.0f}]"


def _equal_money(bills: Sequence[Mapping[str, Any]]) -> str:
    cells = "S / bill in % of everything / objects in bought patches in % / right labels in % / count error"
    return (
        "## At equal money\n\n"
        f'The money is the bill for which "{SHAPED}" finds a share of the objects; every row spends at most '
        f"this. {cells}. S = 0 where not even one patch of each tile is within the money.\n\n"
        f"{_worths(bills, 'rows')}\n\n"
        "## For equal objects\n\n"
        f"The cheapest choice of each row that finds the share of the objects. {cells}.\n\n"
        f"{_worths(bills, 'alone')}"
    )


def _worths(bills: Sequence[Mapping[str, Any]], kind: str) -> str:
    names = list(bills[0]["saving"])
    lines = [
        [
            f"{bill['patch_m']:g} m",
            _minimum(bill),
            f"{100 * point['target']:g} %",
            f"{point['usd']:,.0f}",
            *(_worth(point[kind][name]) for name in names),
        ]
        for bill in bills
        if bill["minimum_km2"] >= LEAST_SHOWN_KM2
        for point in bill["equal_money"]
    ]
    return table(["patch", "minimum per polygon", "objects to find", "USD", *names], lines)


def _worth(row: Mapping[str, float]) -> str:
    bill, found, right = (f"{100 * row[name]:.1f}" for name in ("bill", "found", "right"))
    return " / ".join([f"{row['patches']:.2f}", bill, found, right, f"{row['count_error']:.2f}"])


def _budgets(bills: Sequence[Mapping[str, Any]]) -> str:
    sizes = [point["patches"] for point in bills[0]["budgets"]]
    lines = [
        [
            f"{bill['patch_m']:g} m",
            _minimum(bill),
            *(
                f"{100 * point['bill']:.0f} / {100 * point['saving']:.0f} / "
                f"{100 * point['found']:.1f} / {100 * point['shaped_found']:.1f}"
                for point in bill["budgets"]
            ),
        ]
        for bill in bills
    ]
    head = ["patch", "minimum per polygon", *(f"S = {size:g}" for size in sizes)]
    return (
        "## Dollars by S\n\n"
        "One budget over all tiles, by expected count: bill and saving in % of everything, objects found "
        f'in %, and objects found in % for the same bill by "{SHAPED}".\n\n' + table(head, lines)
    )


def _minimum(bill: Mapping[str, Any]) -> str:
    return f"{bill['minimum_km2']:g} km2" if bill["minimum_km2"] else "none"


def controls_text(controls: Mapping[str, Any]) -> str:
    """Return the table of the controls, and what their intervals allow to say."""
    lines = [
        [
            JUDGED[name],
            spending,
            f"{100 * gain['found']:.1f}",
            f"{100 * gain['rival']:.1f}",
            _points(gain),
            "yes" if gain["differs"] else "no",
        ]
        for name, by_spending in controls.items()
        if name in JUDGED
        for spending, gain in by_spending.items()
    ]
    head = ["control", "spending", "objects %", "Fixed-H", "gain in points", "differs from zero"]
    return (
        f"## Controls at S = {controls['patches']:g}\n\n{table(head, lines)}\n\n{_verdict(controls)}\n"
        "A site in two splits, a scene under two sites, and near duplicates across splits are refused by "
        "`loupe-train data check`; a site in two splits also by every command that reads the data."
    )


def _verdict(controls: Mapping[str, Any]) -> str:
    """State what each control shows, by its own interval."""
    sentences = []
    if "other_lr" in controls:
        other = controls["other_lr"][PER_TILE]
        sentences.append(
            "With the LR of another site the policy finds "
            + ("more objects than" if other["low"] > 0 else "no more objects than")
            + " Fixed-H."
        )
    if "whole_scenes" in controls:
        scenes = controls["whole_scenes"][PER_TILE]
        sentences.append(
            "With whole scenes as tiles, the same number of patches for each, the gain over Fixed-H "
            + ("can" if scenes["differs"] else "cannot")
            + " be told apart from zero."
        )
    return " ".join(sentences)


def _calibration(parts: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [
        [name, *(f"{100 * share:.1f}" for share in part["coverage"]), _pit(part["pit"])]
        for name, part in parts.items()
    ]
    head = ["counts of", "80 % interval covers, %", "95 % interval covers, %", "largest share of a tenth, %"]
    return f"## Calibration of counts\n\n{table(head, lines)}"


def _pit(shares: Sequence[float]) -> str:
    return f"{100 * max(shares):.1f}"


def _points(gain: Mapping[str, Any]) -> str:
    return f"{100 * gain['gain']:+.1f} [{100 * gain['low']:+.1f}, {100 * gain['high']:+.1f}]"
