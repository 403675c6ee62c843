"""Patches that other orders of the workspace bought, for the tiles of a plan that does not buy them again."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from models.grid import PATCHES, patch_side
from service.imagery.products import coarsest_pixel_m
from service.imagery.resampling import StoredPatch, resample_patch
from service.imagery.tile_grid import TileGrid
from service.orders.checklist import Place
from service.orders.delivered import PatchPixels, stored_pixels
from service.orders.ground import read_ground
from service.plans.arrays import PlanArrays
from service.plans.ground import GroundUse, match_ground
from service.plans.reading import grid_of
from service.plans.tables import Plan, Scene


class ReusedPatch(NamedTuple):
    """A patch of the scene with pixels uint8 (3, s, s) from delivered files of other orders."""

    tile: int
    patch: int
    pixels: bytes
    files: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """Write the patch and the files that its pixels come from."""
        return {"tile": self.tile, "patch": self.patch, "files": self.files}


class _Source(NamedTuple):
    order_id: UUID
    grid: TileGrid
    file: PatchPixels


StoredSources = dict[Place, list[_Source]]
"""The stored patches under each patch of some tiles, those to be preferred first."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ReusedGround:
    """The delivered patches of a workspace that stand for patches of a scene."""

    grid: TileGrid
    uses: tuple[GroundUse, ...]
    order_ids: tuple[UUID, ...]
    """The orders from which patches come now, or may still come."""

    def read(self, session: Session, first_tile: int, last_tile: int, until: datetime) -> StoredSources:
        """Read the stored patches of first_tile .. last_tile as they were at the time `until`."""
        found: StoredSources = {}
        for use in self.uses:
            start, end = np.searchsorted(use.ours, [first_tile * PATCHES, (last_tile + 1) * PATCHES])
            ours, theirs = use.ours[start:end], use.theirs[start:end]
            patches = use.bought.patches
            places = list(zip(patches.tiles[theirs].tolist(), patches.patches[theirs].tolist(), strict=True))
            files = stored_pixels(session, use.bought.order_id, set(places), until) if places else []
            by_place = {(file.tile, file.patch): file for file in files}
            for flat, place in zip(ours.tolist(), places, strict=True):
                source = _Source(use.bought.order_id, patches.grid, by_place[place])
                found.setdefault(divmod(flat, PATCHES), []).append(source)
        return found

    def resample(self, stored: StoredSources, hr_size: int) -> list[ReusedPatch]:
        """Make the pixels of each patch of tiles of hr_size x hr_size pixels. Opens no session."""
        side = patch_side(hr_size)
        return [
            ReusedPatch(
                tile=tile,
                patch=patch,
                pixels=resample_patch(self.grid, tile, patch, side, _as_stored(sources)).tobytes(),
                files=[_file_json(one) for one in sources],
            )
            for (tile, patch), sources in sorted(stored.items())
        ]


def find_reused(session: Session, plan: Plan, scene: Scene, arrays: PlanArrays) -> ReusedGround:
    """Find the delivered patches for the patches that a plan leaves out because they are owned or on order.

    Patches that were on order when the plan was made are found once they are delivered.
    """
    grid, taken = grid_of(scene), arrays.taken
    if not taken.any():
        return ReusedGround(grid=grid, uses=(), order_ids=())
    bought = [one for one in read_ground(session, plan.workspace_id, grid) if one.delivered]
    ordered_m = plan.bill.get("ordered_pixel_m")
    coarsest_m = math.inf if ordered_m is None else coarsest_pixel_m(ordered_m)
    uses = match_ground(grid, taken, bought, coarsest_m).uses
    named = [UUID(one["order"]) for one in (plan.reuse or {}).get("orders", ())]
    order_ids = dict.fromkeys([*(use.bought.order_id for use in uses), *named])
    return ReusedGround(grid=grid, uses=uses, order_ids=tuple(order_ids))


def _as_stored(sources: Sequence[_Source]) -> list[StoredPatch]:
    return [
        StoredPatch(grid=one.grid, tile=one.file.tile, patch=one.file.patch, pixels=_pixels(one.file))
        for one in sources
    ]


def _pixels(file: PatchPixels) -> np.ndarray[Any, np.dtype[np.uint8]]:
    side = math.isqrt(len(file.pixels) // 3)
    return np.frombuffer(file.pixels, np.uint8).reshape(3, side, side)


def _file_json(source: _Source) -> dict[str, Any]:
    file = source.file
    return {
        "order": str(source.order_id),
        "tile": file.tile,
        "patch": file.patch,
        "version": file.version,
        "sha256": file.sha256,
    }
