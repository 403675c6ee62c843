"""Scenes read from their bytes, when they are planned and identically later. Opens no database session."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.manifest import Manifest
from service import blobs as storage
from service.bundles.card import identify
from service.bundles.predictor import Predictor
from service.errors import ConflictError, LoupeError
from service.geotiff.preflight import Limits
from service.geotiff.raster import read_geotiff
from service.imagery.acquisition import sample_pixels
from service.imagery.encodings import encoding_described
from service.imagery.oddities import scattered_holes
from service.imagery.overlap import lattice_offset
from service.imagery.radiometry import Imagery, to_imagery
from service.imagery.tile_grid import TileGrid
from service.imagery.tiling import Tiles, cut_tiles
from service.jobs.answering import TooLongError
from service.plans.arrays import MIN_VALID_SHARE, TileValues
from service.plans.counts import SceneCounts
from service.plans.options import PlanOptions
from service.plans.pixels import check_scene_pixels
from service.plans.tables import Scene
from service.settings import Settings


class SceneReadDifferentlyError(ConflictError):
    """A stored scene that this version cuts into other tiles than the version that planned it."""

    code = "scene-read-differently"
    title = "This version reads the scene differently"


class TooManyTilesError(LoupeError):
    """A scene of more tiles than the server plans, within a request or as a job."""

    status = 413
    code = "too-many-tiles"
    title = "The scene has too many tiles"


@dataclass(frozen=True, kw_only=True)
class JudgedScene:
    """A scene that is not stored yet, with the utility of each of its patches for a task."""

    scene: Scene  # without a workspace or an id
    values: TileValues
    pixels: bytes  # LR pixels of the tiles, uint8 (T, 3, lr, lr); see `lr_pixels`
    bundle: dict[str, Any]  # name, version and sha256 of the bundle that gave the utilities


def judge_scene(
    body: bytes,
    options: PlanOptions,
    predictor: Predictor,
    settings: Settings,
    most_tiles: int | None = None,
) -> JudgedScene:
    """Read a scene and ask the bundle's policy for the utilities of the task.

    Errors: TooLongError for a scene of more than `most_tiles` with data; too-many-tiles, task-unknown,
    objective-unclear, guarantee-not-certified; every refusal of an upload (4xx);
    `decoder-unavailable` (503).
    """
    task = options.task_of(predictor.manifest)
    imagery = read_scene(body, options.bands, options.radiometry, settings)
    tiles = cut_scene(imagery, predictor.manifest)
    _check_count(tiles.grid.tile_count, settings.scene_tiles)
    eligible = tiles.valid_share >= MIN_VALID_SHARE
    if most_tiles is not None and eligible.sum() > most_tiles:  # empty tiles cost nothing
        raise TooLongError
    judged = predictor.judge(tiles.pixels, eligible, tiles.grid.columns)
    pixels = tiles.pixels.tobytes()
    reading = _describe(imagery, tiles, options, predictor.manifest)
    reading["tiles_sha256"] = hashlib.sha256(pixels).hexdigest()
    return JudgedScene(
        scene=Scene(sha256=hashlib.sha256(body).hexdigest(), size=len(body), reading=reading),
        values=TileValues(
            utilities=judged.utilities[task],
            valid_share=tiles.valid_share,
            counts=None if judged.expected is None else SceneCounts.unread(judged.expected),
        ),
        pixels=pixels,
        bundle=identify(predictor),
    )


def _check_count(tiles: int, most: int) -> None:
    """Raise TooManyTilesError (413) for more tiles than the server plans at all."""
    if tiles > most:
        raise TooManyTilesError(
            f"The scene has {tiles:,} tiles of this bundle, and at most {most:,} are planned at a time. "
            "Cut it into smaller scenes.",
            tiles=tiles,
            limit=most,
        )


def read_scene(body: bytes, bands: str | None, radiometry: str | None, settings: Settings) -> Imagery:
    """Decode an uploaded scene into a colour image; 4xx when it cannot be used."""
    raster = read_geotiff(body, _limits(settings))
    return to_imagery(raster, bands, radiometry, is_scene=True, strict=True)


def cut_scene(imagery: Imagery, manifest: Manifest) -> Tiles:
    """Cut an image into the tiles of a bundle; 422 when its resolution or size does not fit."""
    return cut_tiles(imagery, manifest.lr_size, manifest.lr_gsd_m, manifest.hr_gsd_m)


def scene_file(scene: Scene, blobs: Path) -> bytes:
    """Return the file of a stored scene. PixelsDeletedError (410), BlobMissingError, BlobDamagedError."""
    check_scene_pixels(scene)
    return storage.get(storage.folder_of(blobs, scene.workspace_id), scene.sha256)


def read_again(scene: Scene, blobs: Path, settings: Settings) -> Imagery:
    """Read a stored scene with the bands that were found when it was planned, and the radiometry asked for.

    Scenes that were read before the range of their numbers was looked at keep the encoding and the valid
    pixels of that time. What is not plausible is not refused any more.
    """
    reading = scene.reading
    bands, radiometry = ",".join(map(str, reading["bands"])), reading["asked"]["radiometry"]
    is_recent = "warnings" in reading
    if radiometry is None and not is_recent:
        radiometry = encoding_described(reading["radiometry"])
    raster = read_geotiff(scene_file(scene, blobs), _limits(settings))
    return to_imagery(raster, bands, radiometry, is_scene=is_recent)


def cut_again(imagery: Imagery, scene: Scene, manifest: Manifest) -> Tiles:
    """Cut a stored scene that was read again; SceneReadDifferentlyError unless its tiles are those planned.

    Versions before 0.3.0 numbered the tiles of mirrored and quarter-turned files in the order of their
    pixels, and later ones from north-west to south-east.
    """
    tiles, planned = cut_scene(imagery, manifest), grid_of(scene)
    grid, extent = tiles.grid, (planned.columns, planned.rows, planned.tile_px)
    if (grid.columns, grid.rows, grid.tile_px) == extent and lattice_offset(planned, grid) == (0, 0):
        return tiles
    raise SceneReadDifferentlyError(
        "An earlier version planned this scene, and this version cuts its file into other tiles. Send the "
        "file again with POST /v1/plans (`loupe plan`) and order the new plan: what was delivered is reused "
        "at no cost.",
        scene_sha256=scene.sha256,
    )


def _limits(settings: Settings) -> Limits:
    return Limits(body_bytes=settings.scene_body_limit, decode_seconds=settings.decode_seconds)


def lr_pixels(scene: Scene, manifest: Manifest, blobs: Path, settings: Settings) -> NDArray[np.uint8]:
    """Return the LR pixels (T, 3, lr, lr) of a stored scene's tiles, as they were planned.

    They are a blob of their own, so that a delivery is compared with them without decoding the scene. Scenes
    from before that are read again.
    """
    check_scene_pixels(scene)
    if "tiles_sha256" not in scene.reading:
        return cut_again(read_again(scene, blobs, settings), scene, manifest).pixels
    grid = grid_of(scene)
    folder = storage.folder_of(blobs, scene.workspace_id)
    stored = np.frombuffer(storage.get(folder, scene.reading["tiles_sha256"]), np.uint8)
    return stored.reshape(grid.tile_count, 3, grid.tile_px, grid.tile_px)


def grid_of(scene: Scene) -> TileGrid:
    """Return the grid on which a scene's tiles lie."""
    return TileGrid.from_json(scene.reading["grid"])


def _describe(imagery: Imagery, tiles: Tiles, options: PlanOptions, manifest: Manifest) -> dict[str, Any]:
    """Write `scene.reading`: the options given, what was understood, and where the tiles lie."""
    holes = scattered_holes(tiles.valid_share, tiles.valid_share >= MIN_VALID_SHARE)
    return {
        "asked": {"bands": options.bands, "radiometry": options.radiometry},
        "bands": list(imagery.bands),
        "bands_from": imagery.bands_from,
        "radiometry": imagery.radiometry,
        "acquired_on": imagery.acquired_on and imagery.acquired_on.isoformat(),
        "sample": sample_pixels(tiles.pixels).hex(),
        "warnings": [warning.to_json() for warning in (*imagery.warnings, *holes)],
        "grid": tiles.grid.to_json(),
        "tile_m": manifest.tile_m,
        "gsd_m": [round(step, 6) for step in tiles.gsd_m],
        "edge_px": list(tiles.edge_px),
        "planned_km2": round(tiles.planned_km2, 9),
        "left_out_km2": round(tiles.left_out_km2, 9),
        "cloud_share": [round(float(share), 3) for share in tiles.cloud_share],
    }
