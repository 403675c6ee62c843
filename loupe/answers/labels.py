"""Labels of tiles."""

from datetime import datetime

from loupe.answers.base import Answer, Json, Link, Part
from loupe.answers.scenes import ObjectCount


class ClassProbability(Part):
    """A class and its calibrated probability."""

    label: str
    """Name of the class."""
    probability: float
    """Calibrated probability of the class, 0 to 1."""


class TileLabel(Part):
    """The label of one tile, beside the label from low resolution only."""

    tile: int
    """Number of the tile in the plan, from 0."""
    label: str
    """Likeliest class, from low resolution and the delivered patches; a class by count if the bundle counts.
    """
    confidence: float
    """Calibrated probability of `label`, 0 to 1."""
    probabilities: tuple[ClassProbability, ...]
    """The five likeliest classes, likeliest first."""
    lr_label: str
    """Likeliest class, from low resolution only."""
    lr_confidence: float
    """Calibrated probability of `lr_label`, 0 to 1."""
    patches_used: int
    """Number of delivered patches that the label uses."""
    patches_bought: int
    """Number of patches that the plan buys of this tile."""
    patches_reused: int = 0
    """Number of further patches that the label uses from other orders of the workspace."""
    count: ObjectCount | None = None
    """Number of objects: read in the patches that the label uses, expected in the others.

    None if the bundle counts nothing.
    """
    lr_count: ObjectCount | None = None
    """Number of objects, from low resolution only. None as `count` is."""


class LabelCount(Part):
    """The number of tiles with a label."""

    label: str
    """Name of the class."""
    tiles: int
    """Number of tiles with this label."""


class CountedObjects(Part):
    """The objects in all labelled tiles."""

    name: str
    """Objects that are counted."""
    level: float
    """Probability with which each interval, also that of a tile, holds the true number."""
    total: ObjectCount
    """Number in all tiles: read in the delivered patches, expected in the others.

    Its interval takes the patches as independent: where the bundle misjudges the whole scene, it is too
    narrow.
    """
    lr_total: ObjectCount
    """Number in all tiles, from low resolution only."""
    read: float
    """Number that was read in the delivered and reused patches."""


class LabelSummary(Part):
    """The labels of a scene in figures."""

    tiles: int
    """Number of labelled tiles."""
    labels: tuple[LabelCount, ...]
    """Labels with their numbers of tiles, commonest first."""
    changed: int
    """Number of tiles whose label differs from that of low resolution only."""
    changed_share: float
    """Share of such tiles, 0 to 1."""
    objects: CountedObjects | None = None
    """Objects in all tiles. None if the bundle counts nothing."""


class Classification(Answer):
    """Labels of a scene's planned tiles, with everything they were made from."""

    id: str
    """Id of the classification."""
    order: str
    """Id of the order."""
    plan: str
    """Id of the order's plan."""
    created_at: datetime
    """Time of the classification (UTC)."""
    complete: bool
    """Whether every bought patch was delivered and used."""
    outdated: bool
    """Whether files were delivered for the order after those that the labels use."""
    outdated_since: datetime | None = None
    """Time of the first such file (UTC). Classify the order again to use it."""
    licence: str | None = None
    """Licence of the bundle's training data, which binds the labels too. None if the bundle states none."""
    summary: LabelSummary
    """The labels in figures."""
    tiles: tuple[TileLabel, ...]
    """Labels of the planned tiles, in tile order."""
    provenance: Json
    """Bundle, price list, input, deliveries and code version that the labels were made from.

    `delivered_files` lists the files that were used, with their versions (at most 4,096), and
    `deliveries_sha256` is one digest over all of them.
    """
    links: tuple[Link, ...]
    """The classification itself, its order with its true labels, and its plan."""
