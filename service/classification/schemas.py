"""Classifications as JSON."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from service.web.paging import Link


class ClassificationIn(BaseModel):
    """Whether to label although patches are still missing."""

    model_config = ConfigDict(extra="forbid")

    allow_partial: bool = Field(
        False, description="use what was delivered so far instead of answering delivery-incomplete"
    )


class ClassProbability(BaseModel):
    """A class and its calibrated probability."""

    label: str
    probability: float


class TileOut(BaseModel):
    """One tile's label, and what low resolution alone would have said."""

    tile: int
    label: str
    confidence: float
    probabilities: list[ClassProbability] = Field(description="the five likeliest, likeliest first")
    lr_label: str
    lr_confidence: float
    patches_used: int
    patches_bought: int


class LabelCount(BaseModel):
    """How many tiles have a label."""

    label: str
    tiles: int


class Summary(BaseModel):
    """The scene at a glance; `changed` tiles have another label than low resolution gave them."""

    tiles: int
    labels: list[LabelCount]
    changed: int
    changed_share: float


class ClassificationOut(BaseModel):
    """Labels of a scene's planned tiles, and everything they were made from."""

    id: UUID
    order: UUID
    plan: UUID
    created_at: datetime
    complete: bool = Field(description="false when bought patches were still missing")
    summary: Summary
    tiles: list[TileOut]
    provenance: dict[str, Any]
    links: list[Link]
