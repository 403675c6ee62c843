"""A plan as a picture: the low-resolution scene, its tile grid, and outlines of bought and owned patches."""

import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from service.imagery.tile_grid import TileGrid
from service.planner.order_shapes import move
from service.plans.arrays import PlanArrays
from service.plans.reading import grid_of, read_again
from service.plans.tables import Plan, Scene
from service.settings import Settings

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
Outline = tuple[NDArray[np.bool_], Colour]  # patches (T, 16)


def render_preview(plan: Plan, scene: Scene, blobs: Path, settings: Settings) -> bytes:
    """Read the stored bytes of a plan's scene again and draw the plan on it. Opens no database session."""
    imagery, arrays = read_again(scene, blobs, settings), PlanArrays.of(plan)
    return draw_preview(imagery.rgb, imagery.transform, grid_of(scene), plan_outlines(arrays))


def plan_outlines(arrays: PlanArrays) -> tuple[Outline, ...]:
    """Return the patches to outline and their colours; a patch that is bought is outlined as bought."""
    bought = arrays.selected
    return (
        (arrays.owned & ~bought, OWNED),
        (arrays.on_order & ~bought, ON_ORDER),
        (bought & arrays.filled, FILLED),
        (bought & ~arrays.filled, WANTED),
    )


def draw_preview(
    rgb: NDArray[np.uint8], transform: Affine, grid: TileGrid, outlines: Sequence[Outline]
) -> bytes:
    """Draw a plan as PNG: rgb (3, H, W) placed by `transform` in the grid's CRS, and outlined patches."""
    picture, scale = _scaled(rgb)
    draw = ImageDraw.Draw(picture, "RGBA")
    to_picture = Affine.scale(*scale) @ ~transform
    _draw_grid(draw, grid, to_picture)
    for mask, colour in outlines:
        _outline(draw, _corners(grid, mask, to_picture), colour)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _scaled(rgb: NDArray[np.uint8]) -> tuple[Image.Image, tuple[float, float]]:
    """Enlarge the scene by a whole factor (sharp pixels) or reduce it; also return pixels per scene pixel."""
    picture = Image.fromarray(np.ascontiguousarray(rgb.transpose(1, 2, 0)))
    width, height = picture.size
    ratio = PREVIEW_SIDE / max(width, height)
    factor = float(math.floor(ratio)) if ratio >= 1 else ratio
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    how = Image.Resampling.NEAREST if ratio >= 1 else Image.Resampling.BOX
    return picture.resize(size, how), (size[0] / width, size[1] / height)


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
    side = float(np.linalg.norm(corners[0, 1] - corners[0, 0]))
    width = max(2, min(4, round(side / 12))) if side >= SMALL else 1
    centres = corners[:, :4].mean(axis=1, keepdims=True)
    inset = corners + (centres - corners) * min(0.5, (width + 1) / max(side, 1))
    for ring in inset:
        line = [(float(x), float(y)) for x, y in ring]
        if width > 1:
            draw.line(line, CASING, width + 2, joint="curve")
        draw.line(line, colour, width, joint="curve")
