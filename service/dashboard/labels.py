"""Labels of an order as rows beside the true labels, and the fields of the form that gives these."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from service.bundles.registry import Bundles
from service.classification.repository import outdated_since
from service.classification.schemas import CountedObjects
from service.orders.repository import plan_of
from service.orders.tables import Order
from service.truth.repository import given_for, newest_classification, newest_of
from service.truth.schemas import ScoreFigures
from service.truth.scoring import score_by_class, total_score

TILES = 50
"""Tiles on a page of an order."""
_FIELD = re.compile(r"true-([0-9]{1,9})")


@dataclass(frozen=True, kw_only=True)
class LabelRow:
    """The label of a tile beside its true label."""

    tile: int
    label: str
    confidence: float
    lr_label: str
    patches_used: int
    count: str
    """Number of objects with its interval; empty if the bundle counts nothing."""
    true_label: str | None

    @property
    def is_right(self) -> bool | None:
        """Whether the label is the true one; None while that is not known."""
        return None if self.true_label is None else self.label == self.true_label


@dataclass(frozen=True, kw_only=True)
class Labels:
    """The newest labels of an order."""

    rows: list[LabelRow]
    first: int
    total: int
    outdated: bool
    complete: bool
    by_label: list[tuple[str, int]]
    """Labels with their numbers of tiles, commonest first."""
    changed: int
    """Tiles whose label differs from that of low resolution only."""
    objects: CountedObjects | None
    score: ScoreFigures | None
    """None while no true label is known."""
    classes: Sequence[str]
    """Classes of the bundle; empty if the server does not hold it."""

    @property
    def following(self) -> int | None:
        """Index of the first tile after these; None at the end."""
        return self.first + len(self.rows) if self.first + len(self.rows) < self.total else None


def read_labels(session: Session, bundles: Bundles, order: Order, first: int) -> Labels | None:
    """Return a window of the newest labels of an order; None before it is classified."""
    made = newest_classification(session, order.id)
    if made is None:
        return None
    truth = newest_of(given_for(session, order.id))
    score = total_score(score_by_class(made.tiles, truth))
    provenance = plan_of(session, order).provenance
    numbers: dict[str, int] = {}
    for tile in made.tiles:
        numbers[tile["label"]] = numbers.get(tile["label"], 0) + 1
    shown = made.tiles[first : first + TILES]
    return Labels(
        rows=[_row(tile, truth[tile["tile"]].label if tile["tile"] in truth else None) for tile in shown],
        first=first,
        total=len(made.tiles),
        outdated=outdated_since(session, made) is not None,
        complete=made.complete,
        by_label=sorted(numbers.items(), key=lambda one: (-one[1], one[0])),
        changed=sum(tile["label"] != tile["lr_label"] for tile in made.tiles),
        objects=None if made.objects is None else CountedObjects.model_validate(made.objects),
        score=ScoreFigures.of(score) if score.tiles else None,
        classes=bundles.of_plan(provenance).manifest.classes if bundles.holds(provenance) else (),
    )


def _row(tile: dict[str, Any], true_label: str | None) -> LabelRow:
    count = tile.get("count")
    return LabelRow(
        tile=tile["tile"],
        label=tile["label"],
        confidence=tile["confidence"],
        lr_label=tile["lr_label"],
        patches_used=tile["patches_used"],
        count="" if count is None else f"{count['expected']:,.1f} ({count['low']:,} to {count['high']:,})",
        true_label=true_label,
    )


def true_labels(fields: dict[str, str]) -> list[dict[str, object]]:
    """Read the fields `true-TILE` of the form of an order's labels; an empty one takes a label back."""
    return [
        {"tile": int(found[1]), "true_label": value or None}
        for name, value in fields.items()
        if (found := _FIELD.fullmatch(name))
    ]
