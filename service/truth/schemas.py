"""True labels and scores as JSON, and tile by tile as rows of a file."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from service.plans.alternatives_schemas import MeasuredFigures
from service.truth.scoring import LabelScore, TrueLabel
from service.web.paging import Link
from service.web.tabular import Columns, Row
from service.web.values import BodyWholeNumber, Line

MOST_TILES = 100_000
TRUTH_COLUMNS: Columns = {
    "tile": "integer", "true_label": "text", "label": "text", "lr_label": "text", "right": "text",
    "key": "text", "given_at": "time",
}  # fmt: skip
"""Columns of the exported file."""

Share = Annotated[float, Field(ge=0, le=1)]


class TrueLabelIn(BaseModel):
    """The true label of one tile."""

    model_config = ConfigDict(extra="forbid", strict=True)

    tile: BodyWholeNumber = Field(ge=0, description="Number of the tile in the plan, from 0.")
    true_label: Annotated[Line, Field(min_length=1, max_length=200)] | None = Field(
        description="True class of the tile, one of the bundle's `classes`. Null takes an earlier one back.",
        examples=["airplane"],
    )


class TruthIn(BaseModel):
    """True labels of tiles of an order. Tiles that are not named keep theirs."""

    model_config = ConfigDict(extra="forbid")

    tiles: Annotated[list[TrueLabelIn], Field(min_length=1, max_length=MOST_TILES)] = Field(
        description="Tiles with their true labels, each tile once."
    )


def truth_schema() -> dict[str, Any]:
    """Return the JSON schema of a request without references to others."""
    schema = TruthIn.model_json_schema()
    schema["properties"]["tiles"]["items"] = schema.pop("$defs")["TrueLabelIn"]
    return schema


class ScoreFigures(BaseModel):
    """Labels that are right, of the tiles whose true label is known."""

    tiles: int = Field(description="Number of labelled tiles whose true label is known.")
    right: int = Field(description="Number of them with the right label.")
    share: Share | None = Field(description="Share of right labels. Null without such a tile.")
    interval: tuple[Share, Share] | None = Field(
        description="Wilson's 95 % interval of the share. It holds for the other tiles as well only if the "
        "known tiles were chosen at random."
    )
    lr_right: int = Field(description="Number of them with the right label from low resolution only.")
    lr_share: Share | None = Field(description="Share of these.")
    lr_interval: tuple[Share, Share] | None = Field(description="Wilson's 95 % interval of that share.")

    @classmethod
    def members(cls, score: LabelScore) -> dict[str, Any]:
        """Write the members that every score has."""
        rounded = {
            name: None if (value := getattr(score, name)) is None else round(value, 6)
            for name in ("share", "lr_share")
        }
        counts = {name: getattr(score, name) for name in ("tiles", "right", "lr_right")}
        return counts | rounded | {"interval": score.interval, "lr_interval": score.lr_interval}

    @classmethod
    def of(cls, score: LabelScore) -> "ScoreFigures":
        """Write a score."""
        return cls(**cls.members(score))


class ClassScore(ScoreFigures):
    """The score of the tiles of one true class."""

    true_label: str = Field(description="True class of the tiles.")


class TruthScore(ScoreFigures):
    """The score of an order's newest classification."""

    by_class: list[ClassScore] = Field(description="Score of each true class, in alphabetical order.")
    classification: UUID = Field(description="Id of the classification that was compared.")
    outdated: bool = Field(
        description="Whether files were delivered after those that its labels use. Classify the order again."
    )
    evaluation: MeasuredFigures | None = Field(
        description="For comparison: the bundle's own figures, measured with about as many patches per tile "
        "on the images of its evaluation, and not on these tiles. Null if the evaluation states none."
    )


class TrueLabelOut(BaseModel):
    """The true label of one tile beside its label."""

    tile: int = Field(description="Number of the tile.")
    true_label: str = Field(description="True class that was given last.")
    label: str | None = Field(description="Label of the newest classification. Null without one.")
    lr_label: str | None = Field(description="Its label from low resolution only. Null without one.")
    right: bool | None = Field(description="Whether the label is the true one. Null without a label.")
    key: str = Field(description="Id of the key that gave the true label.")
    given_at: datetime = Field(description="Time at which it was given (UTC).")


class OrderTruth(BaseModel):
    """The true labels of an order, and how many of its labels they prove right."""

    order: UUID = Field(description="Id of the order.")
    version: int = Field(description="Number of requests that gave or took back true labels.")
    score: TruthScore | None = Field(
        description="Score of the newest classification. Null while the order is not classified."
    )
    tiles: list[TrueLabelOut] = Field(description="Tiles whose true label is known, in their order.")
    links: list[Link] = Field(description="The order, and the true labels as a file.")


def tiles_of_truth(
    truth: Mapping[int, TrueLabel], labelled: Mapping[int, Mapping[str, Any]]
) -> Iterator[TrueLabelOut]:
    """Write the known tiles, beside their labels."""
    for tile, known in sorted(truth.items()):
        label = labelled.get(tile)
        yield TrueLabelOut(
            tile=tile,
            true_label=known.label,
            label=None if label is None else label["label"],
            lr_label=None if label is None else label["lr_label"],
            right=None if label is None else label["label"] == known.label,
            key=known.key_id,
            given_at=known.at,
        )


def truth_row(one: TrueLabelOut) -> Row:
    """Write a known tile as a row of TRUTH_COLUMNS."""
    right = None if one.right is None else "yes" if one.right else "no"
    return one.tile, one.true_label, one.label, one.lr_label, right, one.key, one.given_at
