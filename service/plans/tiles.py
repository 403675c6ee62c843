"""The tiles of a plan as JSON: decisions, utilities and expected objects."""

from typing import Literal

import numpy as np
from pydantic import BaseModel, Field

from models.grid import PATCHES
from service.plans.arrays import PlanArrays
from service.plans.objects import ObjectCount, objects_by_tile
from service.plans.tables import Plan, Scene


class PlanTile(BaseModel):
    """Decision for one tile. Patch indices are column-major: row = index % 4, column = index // 4."""

    tile: int = Field(description="Index of the tile: row * columns + column.")
    row: int = Field(description="Row of the tile, counted from 0 in the north.")
    column: int = Field(description="Column of the tile, counted from 0 in the west.")
    status: Literal["planned", "no-data"] = Field(
        description="`no-data` if less than 90 % of the tile's area is valid: nothing is bought there."
    )
    valid_share: float = Field(description="Share of the tile's area with valid pixels, 0 to 1.")
    cloud_share: float = Field(
        description="Share of bright, colourless pixels, 0 to 1: a hint of clouds. Snow counts too."
    )
    buy: list[int] = Field(description="Indices of the patches to buy.")
    owned: list[int] = Field(description="Indices of the patches that were owned when the plan was made.")
    on_order: list[int] = Field(description="Indices of the patches that were on order at that time.")
    utilities: list[float] | None = Field(
        description="Utility of each of the 16 patches, by index. Null if the tile is not planned."
    )
    objects: ObjectCount | None = Field(
        description="Number of objects that the bundle expects in the tile, before any patch of the plan is "
        "bought; in a later round, with what was read before. Null if the tile is not planned, or if the "
        "bundle counts nothing."
    )


def tiles_of(plan: Plan, scene: Scene) -> list[PlanTile]:
    """Write every tile of a plan, row by row."""
    arrays = PlanArrays.of(plan)
    columns = scene.reading["grid"]["columns"]
    eligible = arrays.eligible.tolist()
    counted = [None] * plan.tiles if arrays.counts is None else objects_by_tile(arrays.counts)
    return [
        PlanTile(
            tile=tile,
            row=tile // columns,
            column=tile % columns,
            status="planned" if eligible[tile] else "no-data",
            valid_share=round(float(arrays.valid_share[tile]), 4),
            cloud_share=scene.reading["cloud_share"][tile],
            buy=np.flatnonzero(arrays.selected[tile]).tolist(),
            owned=np.flatnonzero(arrays.owned[tile]).tolist(),
            on_order=np.flatnonzero(arrays.on_order[tile]).tolist(),
            utilities=[arrays.shown_utility(tile, patch) for patch in range(PATCHES)]
            if eligible[tile]
            else None,
            objects=counted[tile] if eligible[tile] else None,
        )
        for tile in range(plan.tiles)
    ]
