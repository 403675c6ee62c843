"""A plan as a picture: the low-resolution scene, its tile grid, and outlines of bought and owned patches."""

import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from service.geotiff.ground import pixel_steps_m
from service.imagery.tile_grid import TileGrid
from service.planner.order_shapes import move
from service.plans.arrays import PlanArrays
from service.plans.reading import grid_of, read_again
from service.plans.tables import Plan, Scene
from service.settings import Settings

KEPT_BRIEFLY = {"Cache-Control": "private, max-age=300"}
"""Headers of pictures: no browser shows pixels for long after their deletion or after sign-out."""
PREVIEW_SIDE = 1600
"""Longest side of a preview in pixels."""

GRID_LINE = (255, 255, 255, 170)
CASING = (20, 20, 20, 255)
WANTED = (255, 196, 0, 255)
FILLED = (64, 200, 255, 255)
"""Colour of bought patches that came free."""
OWNED = (120, 230, 120, 255)
"""Colour of owned patches, which are not bought again."""
ON_ORDER = (255, 130, 210, 255)
"""Colour of patches that another order awaits, which are not bought again."""

SMALL = 10.0
"""Width in preview pixels below which a patch gets a thin outline without casing."""

Corners = NDArray[np.float64]  # (N, 5, 2) preview pixels
Colour = tuple[int, int, int, int]
PatchOutline = tuple[NDArray[np.bool_], Colour]  # patches (T, 16)


def render_preview(plan: Plan, scene: Scene, blobs: Path, settings: Settings) -> bytes:
    """Read the stored bytes of a plan's scene again and draw the plan on it. Opens no database session."""
    imagery, arrays = read_again(scene, blobs, settings), PlanArrays.of(plan)
    return draw_preview(imagery.rgb, imagery.transform, grid_of(scene), plan_outlines(arrays))


def plan_outlines(arrays: PlanArrays) -> tuple[PatchOutline, ...]:
    """Return the patches to outline and their colours; a patch that is bought is outlined as bought."""
    bought = arrays.selected
    return (
        (arrays.owned & ~bought, OWNED),
        (arrays.on_order & ~bought, ON_ORDER),
        (bought & arrays.filled, FILLED),
        (bought & ~arrays.filled, WANTED),
    )


def draw_preview(
    rgb: NDArray[np.uint8], transform: Affine, grid: TileGrid, outlines: Sequence[PatchOutline]
) -> bytes:
    """Draw a plan as PNG: rgb (3, H, W) placed by `transform` in the grid's CRS, and outlined patches.

    Pixels that are not square on the ground, as in degrees, are drawn with their true proportions.
    """
    across, down, _ = pixel_steps_m(transform, grid.crs, rgb.shape[2], rgb.shape[1])
    picture, scale = _scaled(rgb, across / down)
    draw = ImageDraw.Draw(picture, "RGBA")
    to_picture = Affine.scale(*scale) @ ~transform
    _draw_grid(draw, grid, to_picture)
    for mask, colour in outlines:
        _outline(draw, _corners(grid, mask, to_picture), colour)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _scaled(rgb: NDArray[np.uint8], proportion: float) -> tuple[Image.Image, tuple[float, float]]:
    """Enlarge the scene by a whole factor (sharp pixels) or reduce it; also return pixels per scene pixel.

    `proportion` is the width of a scene pixel on the ground divided by its height.
    """
    picture = Image.fromarray(np.ascontiguousarray(rgb.transpose(1, 2, 0)))
    width, height = picture.size
    stretched = (width * max(1.0, proportion), height * max(1.0, 1 / proportion))
    ratio = PREVIEW_SIDE / max(stretched)
    factor = float(math.floor(ratio)) if ratio >= 1 else ratio
    across, down = (max(1, round(side * factor)) for side in stretched)
    how = Image.Resampling.NEAREST if ratio >= 1 else Image.Resampling.BOX
    return picture.resize((across, down), how), (across / width, down / height)


def _draw_grid(draw: ImageDraw.ImageDraw, grid: TileGrid, to_picture: Affine) -> None:
    place = to_picture @ grid.transform @ Affine.scale(grid.tile_px)
    for column in range(grid.columns + 1):
        draw.line([place @ (column, 0), place @ (column, grid.rows)], GRID_LINE, 1)
    for row in range(grid.rows + 1):
        draw.line([place @ (0, row), place @ (grid.columns, row)], GRID_LINE, 1)


def _corners(grid: TileGrid, mask: NDArray[np.bool_], to_picture: Affine) -> Corners:
    tiles, patches = np.nonzero(mask)
    return move(to_picture, grid.patch_corners(tiles, patches))


def _outline(draw: ImageDraw.ImageDraw, corners: Corners, colour: Colour) -> None:
    """Draw strong outlines just inside each patch, so that neighbours do not cover each other's."""
    if not len(corners):
        return
    side = float(np.linalg.norm(np.diff(corners[0, :3], axis=0), axis=1).min())
    width = max(2, min(4, round(side / 12))) if side >= SMALL else 1
    centres = corners[:, :4].mean(axis=1, keepdims=True)
    inset = corners + (centres - corners) * min(0.5, (width + 1) / max(side, 1))
    for ring in inset:
        line = [(float(x), float(y)) for x, y in ring]
        if width > 1:
            draw.line(line, CASING, width + 2, joint="curve")
        draw.line(line, colour, width, joint="curve")
