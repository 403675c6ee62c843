"""A scene's bytes as a bundle reads them, once when it is planned and again, identically, later."""

from pathlib import Path
from typing import Any

from models.manifest import Manifest
from service import blobs as storage
from service.geotiff.preflight import Limits
from service.geotiff.raster import read_geotiff
from service.imagery.radiometry import Imagery, to_imagery
from service.imagery.tile_grid import TileGrid
from service.imagery.tiling import Tiles, cut_tiles
from service.plans.options import PlanOptions
from service.plans.tables import Scene
from service.settings import Settings

MIN_VALID_SHARE = 0.9
"""A tile with less valid area than this is not planned: the policy never saw such tiles."""


def read_scene(body: bytes, bands: str | None, radiometry: str | None, settings: Settings) -> Imagery:
    """Decode an uploaded scene into a colour image; 4xx in words when it cannot be used."""
    limits = Limits(body_bytes=settings.scene_body_limit, decode_seconds=settings.decode_seconds)
    return to_imagery(read_geotiff(body, limits), bands, radiometry)


def cut_scene(imagery: Imagery, manifest: Manifest) -> Tiles:
    """Cut an image into the tiles of a bundle; 422 in words when its resolution or size do not fit."""
    return cut_tiles(imagery, manifest.lr_size, manifest.lr_gsd_m, manifest.hr_gsd_m)


def read_again(scene: Scene, blobs: Path, settings: Settings) -> Imagery:
    """Read a stored scene with the options it was planned with."""
    asked = scene.reading["asked"]
    return read_scene(storage.get(blobs, scene.sha256), asked["bands"], asked["radiometry"], settings)


def grid_of(scene: Scene) -> TileGrid:
    """Return where a stored scene's tiles lie."""
    return TileGrid.from_json(scene.reading["grid"])


def describe_reading(
    imagery: Imagery, tiles: Tiles, options: PlanOptions, manifest: Manifest
) -> dict[str, Any]:
    """What `scene.reading` keeps: what was asked, what was understood, where the tiles lie."""
    return {
        "asked": {"bands": options.bands, "radiometry": options.radiometry},
        "bands": list(imagery.bands),
        "bands_from": imagery.bands_from,
        "radiometry": imagery.radiometry,
        "grid": tiles.grid.to_json(),
        "tile_m": manifest.tile_m,
        "gsd_m": [round(step, 6) for step in tiles.gsd_m],
        "edge_px": list(tiles.edge_px),
        "planned_km2": round(tiles.planned_km2, 9),
        "left_out_km2": round(tiles.left_out_km2, 9),
        "cloud_share": [round(float(share), 3) for share in tiles.cloud_share],
    }
