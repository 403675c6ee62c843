"""Delivered files from bytes to checked patches. Opens no database session."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.grid import GRID
from models.manifest import Manifest
from service.errors import LoupeWarning
from service.geotiff.preflight import Limits
from service.geotiff.raster import read_geotiff
from service.imagery.collar import mark_collar
from service.imagery.encodings import is_reflectance_described
from service.imagery.likeness import Likeness, PatchUnlikeSceneError, compare_with_scene, impossible, judge
from service.imagery.placement import PlacedPatch, place_patch
from service.imagery.radiometry import Imagery, to_imagery
from service.imagery.tile_grid import TileGrid
from service.orders.checklist import Place

# GDAL's warper, as rasterio calls it, mutes a warning through state of the whole process: one at a time.
PLACING = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class ReadAs:
    """How a client wants its file to be read, and whether a patch unlike its scene is accepted."""

    bands: str | None = None  # "R,G,B", counted from 1
    radiometry: str | None = None
    accept_unlike: bool = False


@dataclass(frozen=True, kw_only=True)
class Target:
    """The patches that a file is cut into, and what is known of them."""

    grid: TileGrid
    size: int  # pixels of a patch's side
    scene: NDArray[np.uint8] = field(repr=False)  # LR pixels (T, 3, tile_px, tile_px) of the scene's tiles

    other_sensor: bool = False
    """Whether the scene is known to be of another sensor than its deliveries: its numbers are reflectance."""

    @classmethod
    def of(cls, grid: TileGrid, manifest: Manifest, scene: NDArray[np.uint8], radiometry: str) -> "Target":
        """Return the target of a bundle, whose patches are a quarter of an HR tile wide.

        `radiometry` describes how the scene was read.
        """
        return cls(
            grid=grid,
            size=manifest.hr_size // GRID,
            scene=scene,
            other_sensor=is_reflectance_described(radiometry),
        )


@dataclass(frozen=True, kw_only=True)
class DecodedFile:
    """A decoded file, and the properties of it that every patch's checks state."""

    imagery: Imagery
    checks: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class CutPatch:
    """A patch cut from a file: uint8 (3, s, s) on the patch's own pixel grid, and what was verified."""

    pixels: NDArray[np.uint8] = field(repr=False)
    checks: dict[str, Any]  # without warnings
    likeness: Likeness
    of_file: tuple[LoupeWarning, ...]  # doubts about the reading of the file
    accept_unlike: bool

    def judge(self, *, sensors_differ: bool) -> tuple[LoupeWarning, ...]:
        """Return the doubts about the file and the patch; raise 409 `patch-unlike-scene` as `judge` does."""
        reason = impossible(self.likeness) if self.accept_unlike else None
        if reason is None:
            doubts = judge(self.likeness, sensors_differ=sensors_differ)
        else:
            detail = f"Accepted because accept_unlike was set. {reason}"
            figures = self.likeness.figures()
            doubts = (LoupeWarning(code=PatchUnlikeSceneError.code, detail=detail, figures=figures),)
        return *self.of_file, *doubts


def decode_file(body: bytes, read_as: ReadAs, delivery_bands: str | None, limits: Limits) -> DecodedFile:
    """Read a delivered file. Raises the 4xx errors of reading a GeoTIFF, of its bands and radiometry.

    `delivery_bands` are those of the price list, used when the client names none.
    """
    raster = read_geotiff(body, limits)
    imagery = mark_collar(to_imagery(raster, read_as.bands or delivery_bands, read_as.radiometry))
    from_list = read_as.bands is None and delivery_bands is not None
    _, height, width = raster.pixels.shape
    checks = {
        "crs": raster.crs,
        "width_px": width,
        "height_px": height,
        "bands": list(imagery.bands),
        "bands_from": "delivery_bands of the price list" if from_list else imagery.bands_from,
        "radiometry": imagery.radiometry,
    }
    return DecodedFile(imagery=imagery, checks=checks)


def cut_patch(file: DecodedFile, target: Target, place: Place, *, accept_unlike: bool = False) -> CutPatch:
    """Cut a patch from a file and compare it with the scene.

    Errors: patch-misplaced when the file does not cover the patch, patch-too-coarse, and unless
    `accept_unlike` is set patch-unlike-scene.
    """
    with PLACING:
        placed = place_patch(
            file.imagery, target.grid, *place, target.size, target.scene, keep_collar=accept_unlike
        )
    return compare_cut(
        placed, target, place, checks=file.checks, of_file=file.imagery.warnings, accept_unlike=accept_unlike
    )


def compare_cut(
    placed: PlacedPatch,
    target: Target,
    place: Place,
    *,
    checks: Mapping[str, Any],
    of_file: tuple[LoupeWarning, ...],
    accept_unlike: bool,
) -> CutPatch:
    """Compare a patch with the scene and add what was measured to the checks of its files.

    Errors unless `accept_unlike` is set: patch-unlike-scene.
    """
    likeness = compare_with_scene(placed, target.scene[place[0]])
    measured = {
        "covers_patch": True,
        "covered": round(placed.covered, 4),
        "repeated_px": placed.repeated_px,
        "likeness": likeness.figures(),
        "patch_px": target.size,
    }
    cut = CutPatch(
        pixels=placed.pixels,
        checks={**checks, **measured, **({"accept_unlike": True} if accept_unlike else {})},
        likeness=likeness,
        of_file=of_file,
        accept_unlike=accept_unlike,
    )
    cut.judge(sensors_differ=target.other_sensor)  # refuses what cannot be the patch
    return cut
