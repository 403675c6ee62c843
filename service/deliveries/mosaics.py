"""The patches of an order that one decoded file shows: covered, partly covered, or refused. No session."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.deliveries.decoding import DecodedFile, Target
from service.errors import ConflictError
from service.geotiff.ground import transform_points
from service.imagery.coverage import covered_patches, offset_to_nearest_m
from service.imagery.radiometry import Imagery
from service.imagery.tile_grid import Indices, TileGrid
from service.orders.checklist import Place

_ONE_COLOUR = 1  # difference of values within one colour, as JPEG compression leaves it
_MARGIN_PX = 2.0  # delivered pixels by which a patch may miss the image and still be looked at


class NoPatchCoveredError(ConflictError):
    """A file that covers no patch of the order."""

    code = "no-patch-covered"
    title = "The file covers no patch of the order"


class OneColourError(ConflictError):
    """A file that shows one colour throughout several patches."""

    code = "one-colour"
    title = "The file shows one colour throughout"


@dataclass(frozen=True, kw_only=True)
class FileCoverage:
    """The patches that a file covers, and those that it covers partly, in plan order."""

    covered: list[Place]
    partly: list[Place]


def find_patches(
    file: DecodedFile, target: Target, places: Sequence[Place], *, accept_unlike: bool
) -> FileCoverage:
    """Find which of some patches a file covers with valid pixels."""
    near = [places[at] for at in _near(file.imagery, target.grid, places)]
    if not near:
        return FileCoverage(covered=[], partly=[])
    tiles, patches = np.array(near, np.int64).T
    found = covered_patches(
        file.imagery, target.grid, tiles, patches, target.scene, keep_collar=accept_unlike
    )
    return FileCoverage(
        covered=[place for place, covered in zip(near, found.covered, strict=True) if covered],
        partly=[
            place
            for place, covered, share in zip(near, found.covered, found.shares, strict=True)
            if share > 0 and not covered
        ],
    )


def check_colours(file: DecodedFile, covered: int) -> None:
    """Raise 409 `one-colour` if a file shows one colour throughout the patches that it covers.

    Dark or bright ground alone resembles such a file, so its patches would be accepted one by one. A single
    patch may be a roof or a lake: it is compared with its scene only.
    """
    if covered < 2:
        return
    seen = file.imagery.rgb[:, file.imagery.valid]  # (3, N)
    low, high = seen.min(axis=1), seen.max(axis=1)
    if ((high.astype(np.int64) - low) > _ONE_COLOUR).any():
        return
    colour = " ".join(str(value) for value in high.tolist())
    raise OneColourError(
        f"All pixels of the file have the colour {colour} (red, green and blue, 0 to 255), and it covers "
        f"{covered} patches: it is empty, or was scaled wrongly. Ask for another file, or state with "
        "`radiometry` how its numbers are to be read. If the ground does look like this, send "
        "`accept_unlike=true`.",
        colour=high.tolist(),
        patches=covered,
    )


def nothing_covered(file: DecodedFile, grid: TileGrid, places: Sequence[Place]) -> NoPatchCoveredError:
    """Say how far a file lies from the nearest of the patches that it should show."""
    tiles, patches = np.array(places, np.int64).T
    nearest = _nearest(file.imagery, grid, tiles, patches)
    east, north = offset_to_nearest_m(file.imagery, grid, tiles[nearest], patches[nearest])
    tile, patch = places[int(nearest[0])]
    beginning = f"The file covers none of the {len(places)} patches that it could deliver."
    advice = "Check the file's place and its coordinate reference system, and that it belongs to this order."
    if not np.isfinite([east, north]).all():
        return NoPatchCoveredError(f"{beginning} It lies in another part of the world. {advice}")
    return NoPatchCoveredError(
        f"{beginning} The nearest is patch {patch} of tile {tile}: its centre lies "
        f"{abs(east):.1f} m {'east' if east >= 0 else 'west'} and "
        f"{abs(north):.1f} m {'north' if north >= 0 else 'south'} of the file's centre. {advice}",
        offset_m={"dx": round(east, 2), "dy": round(north, 2)},
        nearest={"tile": tile, "patch": patch},
    )


def _near(imagery: Imagery, grid: TileGrid, places: Sequence[Place]) -> list[int]:
    """Return the positions of the patches whose bounds touch the image: a cheap first look at many."""
    if not places:
        return []
    tiles, patches = np.array(places, np.int64).T
    corners = grid.patch_corners(tiles, patches)[:, :4]
    x, y = np.moveaxis(transform_points(grid.crs, imagery.crs, corners), -1, 0)
    columns, rows = ~imagery.transform @ (x, y)
    height, width = imagery.valid.shape
    with np.errstate(invalid="ignore"):  # infinite where the CRS is undefined
        touches = (
            (columns.max(axis=1) > -_MARGIN_PX)
            & (columns.min(axis=1) < width + _MARGIN_PX)
            & (rows.max(axis=1) > -_MARGIN_PX)
            & (rows.min(axis=1) < height + _MARGIN_PX)
        )
    return [int(at) for at in np.flatnonzero(touches)]


def _nearest(imagery: Imagery, grid: TileGrid, tiles: Indices, patches: Indices) -> Indices:
    """Return the position (1,) of the patch that lies nearest to the image's centre, in the grid's CRS."""
    height, width = imagery.valid.shape
    centre = np.array(imagery.transform @ (width / 2, height / 2))
    away = grid.patch_corners(tiles, patches)[:, :4].mean(axis=1) - transform_points(
        imagery.crs, grid.crs, centre
    )
    distances = np.hypot(*np.nan_to_num(away, nan=np.inf, posinf=np.inf).T)
    return np.array([int(distances.argmin())])
