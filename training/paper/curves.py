"""Curves of accuracy by the number of patches bought, beside the single points of a table. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from training.paper.cells import Seeds
from training.paper.figures import Curve
from training.paper.measure_rows import CURVE_SIZES
from training.paper.published import METHODS, STAGE_NAMES
from training.paper.rows import MeasuredRow

OWN_SIZE = 0.2
"""Largest difference between a policy's S on test and the S of its column that is not printed."""


def frontier(rows: Iterable[MeasuredRow]) -> dict[str, Curve]:
    """Return every measured curve by name, with its ends last; a method without a curve is one point."""
    curves: dict[str, Curve] = {}
    for row in filter(_on_the_frontier, rows):
        ends = [[float(size), accuracy] for size, accuracy in row.facts.get("ends", {}).items()]
        curve = row.facts.get("curve", [[row.mean_patches, row.accuracy]])
        # Without a curve the method buys all or nothing, and its single point is its row.
        curves |= {_name(row): [*curve, *ends]} | _under_the_same_classifier(row)
    return curves


def _on_the_frontier(row: MeasuredRow) -> bool:
    # Pt and Ft-1 are steps on the way to Ft-2, not choices to compare.
    return row.stage not in ("pt", "ft1") and row.method in METHODS


def _name(row: MeasuredRow) -> str:
    return f"{METHODS[row.method]} {STAGE_NAMES[row.stage]}".strip()


def _under_the_same_classifier(row: MeasuredRow) -> dict[str, Curve]:
    same = row.facts.get("same_classifier", {})
    return {f"{METHODS[chooser]}, our classifier": curve for chooser, curve in same.items()}


def curves_markdown(seeds: Seeds) -> str:
    """Return Markdown with a table of the curves by CURVE_SIZES per seed, and the choice of the product."""
    parts = []
    for seed, rows in sorted(seeds.items()):
        curved = [row for row in rows if "curve" in row.facts and _on_the_frontier(row)]
        # Rows come sorted by file name; the report prints them in the order of the tables.
        curved.sort(key=lambda row: list(METHODS).index(row.method))
        # "without_doubt" is the key in saved rows; it stays, so that older rows can still be reported.
        products = [row for row in curved if "without_doubt" in row.facts]
        if lines := [line for row in curved for line in _lines(row)]:
            parts += [f"### Seed {seed}", "\n".join([_HEAD + _RULE, *lines]), *map(_product, products)]
    return "\n\n".join([_TITLE, *parts]) if parts else ""


def _lines(row: MeasuredRow) -> list[str]:
    curves = {_name(row): row.facts["curve"]} | _under_the_same_classifier(row)
    if "without_doubt" in row.facts:
        curves["Loupe without label uncertainty"] = row.facts["without_doubt"]["curve"]
    return [_line(name, curve) for name, curve in curves.items()]


_TITLE = f"""## Accuracy % by S

Thresholds that buy S patches per tile are placed on validation.
Brackets hold a policy's own S on the test split where it differs by more than {OWN_SIZE:g}."""

_HEAD = "| choices by | " + " | ".join(f"S = {size}" for size in CURVE_SIZES) + " |\n"
_RULE = "|" + "---|" * (1 + len(CURVE_SIZES))


def _line(name: str, curve: Sequence[Sequence[float]]) -> str:
    # strict=False: the oracle is measured at fewer sizes than the columns; the rest stays empty.
    points = [_point(size, *point) for size, point in zip(CURVE_SIZES, curve, strict=False)]
    return f"| {name} | {' | '.join(points + [''] * (len(CURVE_SIZES) - len(points)))} |"


def _point(size: int, bought: float, accuracy: float) -> str:
    # The mean is over the test split, so it may miss the S that validation was placed at.
    own = f" ({bought:.1f})" if abs(bought - size) > OWN_SIZE else ""
    return f"{100 * accuracy:.1f}{own}"


def _product(row: MeasuredRow) -> str:
    facts, without = row.facts, row.facts["without_doubt"]
    return (
        f"Loupe reaches {100 * facts['ends']['0']:.1f} % with nothing bought and "
        f"{100 * facts['ends']['16']:.1f} % with everything bought. Its operating point is "
        f"{100 * row.accuracy:.1f} % at S = {row.mean_patches:.2f}; without label uncertainty it is "
        f"{100 * without['accuracy']:.1f} % at S = {without['mean_patches']:.2f}.\n"
        f"Accuracy % on validation, mean over S = 2 to 6: by candidate {_scores(facts['candidates'])} "
        f"(chosen: {facts['chosen']}); by uncertainty exponent {_scores(facts['doubt'])} "
        f"(chosen: {facts['doubt_exponent']:g})."
    )


def _scores(accuracies: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {100 * accuracy:.1f}" for name, accuracy in accuracies.items())
