"""Plans stored directly in the database, and the patches that a provider would deliver for them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from service.blobs import folder_of, put
from service.geotiff.preflight import Limits
from service.geotiff.raster import read_geotiff
from service.imagery.radiometry import to_imagery
from service.imagery.tiling import Tiles, cut_tiles
from service.plans.tables import Plan, Scene
from service.pricing.schemas import PriceListTerms
from service.pricing.tables import PriceList
from tests.support.bundles import (
    HR_GSD_M,
    HR_SIZE,
    LR_GSD_M,
    LR_SIZE,
    make_geotiff,
    make_pixels,
    tiny_provenance,
)

Place = tuple[int, int]  # tile, patch
PATCH_M = LR_SIZE * LR_GSD_M / 4
WEST, NORTH, COLUMNS = 500_000.0, 5_300_000.0, 3  # of `make_geotiff`
BOUGHT: tuple[Place, ...] = ((0, 0), (0, 6), (4, 15))
BUYS_AGAIN: dict[str, Any] = {
    "mode": "none", "owned": 0, "on_order": 0, "area_km2": "0", "orders": [], "spared": 0,
    "saved": {"amount": "0", "currency": "USD"},
}  # fmt: skip
"""Reuse of a plan whose ground may be ordered although another order bought it."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A stored plan and the patches that it buys."""

    id: UUID
    bought: tuple[Place, ...]


def make_plan(
    session: Session,
    workspace_id: UUID,
    blobs: Path,
    *,
    bought: Collection[Place] = BOUGHT,
    cost_minor: int = 10_00,
    seed: int = 0,
    no_data: Iterable[int] = (),
    **overrides: Any,
) -> Planned:
    """Store a scene of 2 x 3 tiles and a plan that buys `bought`; `overrides` are columns of the plan."""
    body = make_geotiff(make_pixels(seed=seed))
    tiles = cut_tiles(to_imagery(read_geotiff(body, Limits())), LR_SIZE, LR_GSD_M, HR_GSD_M)
    folder = folder_of(blobs, workspace_id)
    scene = _scene(workspace_id, put(folder, body), len(body), tiles, put(folder, tiles.pixels.tobytes()))
    prices = _price_list(workspace_id, overrides.get("currency", "USD"), name=f"prices {seed} {cost_minor}")
    session.add_all((scene, prices))
    session.flush()
    values = _arrays(tiles, bought, no_data) | {
        "workspace_id": workspace_id, "scene_id": scene.id, "price_list_id": prices.id,
        "objective": {"kind": "policy", "threshold": 0.5}, "provenance": tiny_provenance(), "currency": "USD",
        "cost_minor": cost_minor, "baseline_minor": 32_00, "list_saving_minor": 24_00,
        "billable_saving_minor": 22_00, "bill": {}, "reuse": BUYS_AGAIN,
        "expires_at": datetime.now(UTC) + timedelta(days=1),
    }  # fmt: skip
    plan = Plan(**(values | overrides))
    session.add(plan)
    session.flush()
    return Planned(id=plan.id, bought=tuple(sorted(bought)))


def make_patch(
    tile: int,
    patch: int,
    *,
    east_m: float = 0.0,
    margin_px: int = 0,
    seed: int = 7,
    black: bool = False,
) -> bytes:
    """Write a patch's GeoTIFF: 8 x 8 pixels of 2.5 m, shifted by `east_m`, `margin_px` wider on each side.

    It shows the scene of `make_geotiff` in finer detail, or is `black`; `seed` changes the detail only.
    """
    row, column = tile // COLUMNS * 4 + patch % 4, tile % COLUMNS * 4 + patch // 4
    side = HR_SIZE // 4
    along = np.arange(-margin_px, side + margin_px)
    return make_geotiff(
        make_detail(row * side + along, column * side + along, seed + 100 * tile + patch) * (not black),
        west=WEST + column * PATCH_M + east_m - margin_px * HR_GSD_M,
        north=NORTH - row * PATCH_M + margin_px * HR_GSD_M,
        gsd_m=HR_GSD_M,
    )


def make_detail(
    rows: NDArray[np.int64], columns: NDArray[np.int64], seed: int = 7, scene: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Make what a scene, by default that of `make_geotiff`, looks like at 2.5 m: uint8 (3, rows, columns).

    `rows` and `columns` count HR pixels from the scene's upper left corner; beyond it its border is repeated.
    """
    scene = make_pixels() if scene is None else scene
    factor = HR_SIZE // LR_SIZE
    at = (
        np.clip(rows // factor, 0, scene.shape[1] - 1),
        np.clip(columns // factor, 0, scene.shape[2] - 1),
    )
    detail = np.random.default_rng(seed).integers(-9, 10, (3, len(rows), len(columns)))
    shown = scene[:, at[0][:, None], at[1]] + detail
    return np.asarray(np.clip(shown, 0, 255), np.uint8)


def _scene(workspace_id: UUID, sha256: str, size: int, tiles: Tiles, tiles_sha256: str) -> Scene:
    reading = {
        "grid": tiles.grid.to_json(), "gsd_m": list(tiles.gsd_m), "tiles_sha256": tiles_sha256,
    }  # fmt: skip
    return Scene(workspace_id=workspace_id, sha256=sha256, size=size, reading=reading)


def _price_list(workspace_id: UUID, currency: str, name: str) -> PriceList:
    terms = PriceListTerms(
        provider="A provider", product="0.5 m archive", gsd_m=Decimal("0.5"), currency=currency,
        price_per_km2=Decimal(10), source="a test",
    )  # fmt: skip
    return PriceList(workspace_id=workspace_id, name=name, version=1, example=False, **terms.columns())


def _arrays(tiles: Tiles, bought: Collection[Place], no_data: Iterable[int]) -> dict[str, Any]:
    count = tiles.grid.tile_count
    selected = np.zeros((count, 16), np.uint8)
    for place in bought:
        selected[place] = 1
    valid_share = tiles.valid_share.copy()
    valid_share[list(no_data)] = 0
    return {
        "tiles": count,
        "utilities": np.full((count, 16), 0.5, np.float32).tobytes(),
        "selected": selected.tobytes(),
        "filled": bytes(count * 16),
        "valid_share": valid_share.tobytes(),
        "patches_bought": len(bought),
    }
