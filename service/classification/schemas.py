"""Classifications as JSON."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from service.classification.labels import summarise
from service.classification.tables import Classification
from service.plans.objects import ObjectCount
from service.web.paging import Link
from service.web.values import BodyYesOrNo


class ClassificationIn(BaseModel):
    """Options of a classification."""

    model_config = ConfigDict(extra="forbid")

    allow_partial: BodyYesOrNo = Field(
        False,
        description="Use the patches that were delivered so far. Otherwise the answer is 409 "
        "`delivery-incomplete` while patches are missing.",
    )


class ClassProbability(BaseModel):
    """A class and its calibrated probability."""

    label: str = Field(description="Name of the class.")
    probability: float = Field(description="Calibrated probability of the class, 0 to 1.")


class TileLabel(BaseModel):
    """The label of one tile, beside the label from low resolution only."""

    tile: int = Field(description="Number of the tile in the plan, from 0.")
    label: str = Field(
        description="Likeliest class, from low resolution and the delivered patches; a class by count if the "
        "bundle counts."
    )
    confidence: float = Field(description="Calibrated probability of `label`, 0 to 1.")
    probabilities: list[ClassProbability] = Field(description="The five likeliest classes, likeliest first.")
    lr_label: str = Field(description="Likeliest class, from low resolution only.")
    lr_confidence: float = Field(description="Calibrated probability of `lr_label`, 0 to 1.")
    patches_used: int = Field(description="Number of delivered patches that the label uses.")
    patches_bought: int = Field(description="Number of patches that the plan buys of this tile.")
    patches_reused: int = Field(
        0, description="Number of further patches that the label uses from other orders of the workspace."
    )
    count: ObjectCount | None = Field(
        None,
        description="Number of objects: read in the patches that the label uses, expected in the others. "
        "Left out if the bundle counts nothing.",
    )
    lr_count: ObjectCount | None = Field(
        None, description="Number of objects, from low resolution only. Left out as `count` is."
    )


class CountedObjects(BaseModel):
    """The objects in all labelled tiles."""

    name: str = Field(description="Objects that are counted.", examples=["oil tanks"])
    level: float = Field(
        description="Probability with which each interval, also that of a tile, holds the true number.",
        examples=[0.95],
    )
    total: ObjectCount = Field(
        description="Number in all tiles: read in the delivered patches, expected in the others. Its "
        "interval takes the patches as independent: where the bundle misjudges the whole scene, it is too "
        "narrow."
    )
    lr_total: ObjectCount = Field(description="Number in all tiles, from low resolution only.")
    read: float = Field(description="Number that was read in the delivered and reused patches.")


class LabelCount(BaseModel):
    """The number of tiles with a label."""

    label: str = Field(description="Name of the class.")
    tiles: int = Field(description="Number of tiles with this label.")


class LabelSummary(BaseModel):
    """The labels of a scene in figures."""

    tiles: int = Field(description="Number of labelled tiles.")
    labels: list[LabelCount] = Field(description="Labels with their numbers of tiles, commonest first.")
    changed: int = Field(description="Number of tiles whose label differs from that of low resolution only.")
    changed_share: float = Field(description="Share of such tiles, 0 to 1.")
    objects: CountedObjects | None = Field(
        None, description="Objects in all tiles. Left out if the bundle counts nothing."
    )


class ClassificationOut(BaseModel):
    """Labels of a scene's planned tiles, with everything they were made from."""

    id: UUID = Field(description="Id of the classification.")
    order: UUID = Field(description="Id of the order.")
    plan: UUID = Field(description="Id of the order's plan.")
    created_at: datetime = Field(description="Time of the classification (UTC).")
    complete: bool = Field(description="Whether every bought patch was delivered and used.")
    outdated: bool = Field(
        description="Whether files were delivered for the order after those that the labels use."
    )
    outdated_since: datetime | None = Field(
        None, description="Time of the first such file (UTC). Classify the order again to use it."
    )
    licence: str | None = Field(
        None,
        description="Licence of the bundle's training data, which binds the labels too. Left out if the "
        "bundle states none.",
    )
    summary: LabelSummary = Field(description="The labels in figures.")
    tiles: list[TileLabel] = Field(description="Labels of the planned tiles, in tile order.")
    provenance: dict[str, Any] = Field(
        description="Bundle, price list, input, deliveries and code version that the labels were made from. "
        "`delivered_files` lists the files that were used, with their versions (at most 4,096), and "
        "`deliveries_sha256` is one digest over all of them."
    )
    links: list[Link] = Field(
        description="The classification itself, its order with its true labels, and its plan."
    )

    @classmethod
    def of(cls, made: Classification, outdated_since: datetime | None = None) -> "ClassificationOut":
        """Write a stored classification for JSON, and when a newer delivery outdated it."""
        plan = made.provenance["plan"]
        return cls(
            id=made.id,
            order=made.order_id,
            plan=UUID(plan),
            created_at=made.created_at,
            complete=made.complete,
            outdated=outdated_since is not None,
            outdated_since=outdated_since,
            licence=made.provenance["bundle"].get("licence"),
            summary=LabelSummary(**summarise(made.tiles), objects=made.objects),
            tiles=[TileLabel(**tile) for tile in made.tiles],
            provenance=made.provenance,
            links=[
                Link(rel="self", href=f"/v1/classifications/{made.id}"),
                Link(rel="order", href=f"/v1/orders/{made.order_id}"),
                Link(rel="truth", href=f"/v1/orders/{made.order_id}/truth"),
                Link(rel="plan", href=f"/v1/plans/{plan}"),
            ],
        )
