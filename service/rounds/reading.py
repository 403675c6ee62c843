"""The owned patches of a scene, read by the counter of the plan's bundle."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.grid import PATCHES, patch_side
from service.bundles.counting import CountPredictor
from service.bundles.predictor import ExpectedCounts
from service.classification.reused import ReusedGround, ReusedPatch
from service.database.engine import Database
from service.imagery.tile_grid import TileGrid
from service.orders.delivered import newest_file_at
from service.orders.tables import Order
from service.plans.ground import BoughtGround, match_ground
from service.plans.tables import Plan, Scene

BATCH = 128
"""Tiles whose patches are in memory at once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnedReadings:
    """The numbers of objects that were read in the owned patches of a scene of T tiles."""

    readings: ExpectedCounts
    """Means and variances (T, 16), NaN in patches that were not read."""
    older: NDArray[np.bool_]
    """Patches (T, 16) that were bought for another file, perhaps at an earlier date."""
    of_order: dict[UUID, int]
    """Number of patches that each order delivered."""

    @property
    def read(self) -> NDArray[np.bool_]:
        """Patches (T, 16) that were read."""
        return ~np.isnan(self.readings.mean)


def owned_ground(
    grid: TileGrid, eligible: NDArray[np.bool_], bought: Sequence[BoughtGround], coarsest_m: float
) -> ReusedGround:
    """Return the delivered patches that stand for patches of the eligible tiles (T,), whoever bought them."""
    wanted = np.repeat(eligible[:, None], PATCHES, axis=1)
    uses = match_ground(grid, wanted, [one for one in bought if one.delivered], coarsest_m).uses
    return ReusedGround(
        grid=grid, uses=uses, order_ids=tuple(dict.fromkeys(use.bought.order_id for use in uses))
    )


def read_owned(
    database: Database,
    ground: ReusedGround,
    predictor: CountPredictor,
    scene_sha256: str,
    first: ExpectedCounts,
) -> OwnedReadings:
    """Read the owned patches of a scene, some tiles at a time. No session is open while the counter runs.

    `first` are the counts (T, 16) that LR made expect.
    """
    tiles = ground.grid.tile_count
    mean, variance = np.full((2, tiles, PATCHES), np.nan, np.float32)
    with database.sessions() as session:
        until = newest_file_at(session, ground.order_ids)
        for_scene = _orders_of_scene(session, scene_sha256, ground.order_ids)
    for start in range(0, tiles, BATCH):
        for one, number, spread in _read_some(database, ground, predictor, start, until, first):
            mean[one.tile, one.patch], variance[one.tile, one.patch] = number, spread
    older = np.zeros((tiles, PATCHES), np.bool_)
    of_order: dict[UUID, int] = {}
    for use in ground.uses:
        places = np.unique(use.ours)
        of_order[use.bought.order_id] = of_order.get(use.bought.order_id, 0) + len(places)
        older.ravel()[places] |= use.bought.order_id not in for_scene
    return OwnedReadings(
        readings=ExpectedCounts(mean=mean, variance=variance), older=older, of_order=of_order
    )


def _read_some(
    database: Database,
    ground: ReusedGround,
    predictor: CountPredictor,
    start: int,
    until: datetime | None,
    first: ExpectedCounts,
) -> list[tuple[ReusedPatch, float, float]]:
    """Read the owned patches of BATCH tiles: each with mean and variance."""
    if until is None:
        return []
    with database.sessions() as session:
        stored = ground.read(session, start, start + BATCH - 1, until)
    patches = ground.resample(stored, predictor.manifest.hr_size)
    if not patches:
        return []
    side = patch_side(predictor.manifest.hr_size)
    read = predictor.read(
        np.stack([np.frombuffer(one.pixels, np.uint8).reshape(3, side, side) for one in patches]),
        np.array([first.mean[one.tile, one.patch] for one in patches]),
    )
    return list(zip(patches, read.mean.tolist(), read.variance.tolist(), strict=True))


def _orders_of_scene(session: Session, sha256: str, order_ids: Collection[UUID]) -> set[UUID]:
    """Return which of some orders were made for the scene in a file."""
    query = select(Order.id).join(Plan, Plan.id == Order.plan_id).join(Scene, Scene.id == Plan.scene_id)
    return set(session.scalars(query.where(Order.id.in_(order_ids), Scene.sha256 == sha256)))
