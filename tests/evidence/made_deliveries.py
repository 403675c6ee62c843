"""Honest and wrong deliveries of a patch of a photograph, by kind."""

from collections.abc import Callable

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.warp import reproject

from service.geotiff.ground import transform_points
from service.geotiff.raster import Raster
from tests.evidence.photographs import Layout, Photograph, to_uint8

_MARGIN = 40  # mirrored pixels around a photograph, for files that reach beyond it
_OFF_M = 30.0
_SIZES, _WARPED_SIZES = (0.984, 1.968), (0.82, 1.968)  # pixels of a file over those of the photograph

Generator = np.random.Generator
Pixels = NDArray[np.uint8]
Make = Callable[[Photograph, int, Generator], Raster]


def exact(pixels: NDArray[np.generic], patch: int, layout: Layout, margin: int = 0) -> Raster:
    """Return pixels (3, n, n) as the file of a patch, on the photograph's own grid."""
    size, place, edge = layout.pixel_m, layout.grid.transform, layout.patch_px
    left, top = (patch // 4 * edge - margin) * size, (patch % 4 * edge - margin) * size
    return raster(pixels, Affine(size, 0, place.c + left, 0, -size, place.f - top), layout.grid.crs)


def raster(
    pixels: NDArray[np.generic],
    transform: Affine,
    crs: str,
    valid: NDArray[np.bool_] | None = None,
) -> Raster:
    """Return a decoded three-band file."""
    return Raster(
        pixels=pixels,
        valid=np.ones(pixels.shape[1:], np.bool_) if valid is None else valid,
        transform=transform,
        crs=crs,
        descriptions=(None,) * 3,
        colours=("red", "green", "blue"),
        scales=(1.0,) * 3,
        offsets=(0.0,) * 3,
    )


def cut(photograph: Photograph, patch: int, margin: int = 0) -> Pixels:
    """Cut a patch, with a margin that is mirrored beyond the photograph."""
    wide = np.pad(photograph.pixels, ((0, 0), (margin, margin), (margin, margin)), "reflect")
    edge = photograph.layout.patch_px
    top, left = patch % 4 * edge, patch // 4 * edge
    side = edge + 2 * margin
    return wide[:, top : top + side, left : left + side]


def resampled(photograph: Photograph, patch: int, generator: Generator) -> Raster:
    """Return the patch in pixels of another size on a grid of its own, with a margin."""
    return _warped(photograph, patch, generator, photograph.layout.grid.crs, reach_px=6.5)


def other_crs(photograph: Photograph, patch: int, generator: Generator) -> Raster:
    """Return the patch in another CRS."""
    crs = str(generator.choice(["EPSG:3857", "EPSG:4326", "EPSG:32631", "EPSG:32633", "EPSG:3035"]))
    return _warped(photograph, patch, generator, crs, reach_px=3.3)


def clipped_outwards(photograph: Photograph, patch: int, generator: Generator) -> Raster:
    """Return every pixel of the provider's grid that touches the patch."""
    return _clipped(photograph, patch, generator, np.floor, np.ceil)


def clipped_by_centre(photograph: Photograph, patch: int, generator: Generator) -> Raster:
    """Return the pixels of the provider's grid whose centre lies in the patch, as GDAL does."""
    return _clipped(photograph, patch, generator, np.round, np.round)


def clipped_inwards(photograph: Photograph, patch: int, generator: Generator) -> Raster:
    """Return the pixels of the provider's grid that lie within the patch."""
    return _clipped(photograph, patch, generator, np.ceil, np.floor)


def shifted_colours(photograph: Photograph, patch: int, generator: Generator) -> Raster:
    """Return the patch with each colour changed by up to 10 %."""
    gains = generator.uniform(0.9, 1.1, 3)[:, None, None]
    return exact(to_uint8(cut(photograph, patch) * gains), patch, photograph.layout)


def other_season(photograph: Photograph, patch: int, generator: Generator) -> Raster:
    """Return the patch with its green turned half to wholly brown."""
    pixels = cut(photograph, patch).astype(np.float64)
    light = pixels.sum(axis=0) + 1
    green = (6 * (2 * pixels[1] - pixels[0] - pixels[2]) / light).clip(0, 1) * generator.uniform(0.5, 1)
    brown = pixels.mean(axis=0) * np.array([1.2, 1.0, 0.75])[:, None, None]
    return exact(to_uint8(pixels + green * (brown - pixels)), patch, photograph.layout)


def black(photograph: Photograph, patch: int, _generator: Generator) -> Raster:
    """Return a file of zeros."""
    return exact(np.zeros_like(cut(photograph, patch)), patch, photograph.layout)


def white(photograph: Photograph, patch: int, _generator: Generator) -> Raster:
    """Return a file of 255."""
    return exact(np.full_like(cut(photograph, patch), 255), patch, photograph.layout)


def half_black(photograph: Photograph, patch: int, generator: Generator) -> Raster:
    """Return the patch with one half, on a random side, black."""
    pixels = cut(photograph, patch).copy()
    turned = np.rot90(pixels, int(generator.integers(4)), axes=(1, 2))
    turned[:, : photograph.layout.patch_px // 2] = 0
    return exact(pixels, patch, photograph.layout)


def scaled_to_16_bit(photograph: Photograph, patch: int, _generator: Generator) -> Raster:
    """Return the patch as 16-bit display values, which read as reflectance are white."""
    return exact(cut(photograph, patch).astype(np.uint16) * np.uint16(257), patch, photograph.layout)


def scaled_to_nothing(photograph: Photograph, patch: int, _generator: Generator) -> Raster:
    """Return the patch as whole numbers of 0..255 in 16 bits, which read as reflectance are black."""
    return exact(cut(photograph, patch).astype(np.uint16), patch, photograph.layout)


def reversed_bands(photograph: Photograph, patch: int, _generator: Generator) -> Raster:
    """Return the patch as blue, green, red."""
    return exact(cut(photograph, patch)[::-1], patch, photograph.layout)


def neighbour(photograph: Photograph, patch: int, generator: Generator) -> Raster:
    """Return a neighbouring patch of the tile at the place of the patch."""
    row, column = patch % 4, patch // 4
    near = [(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)]
    inside = [(r, c) for r, c in near if 0 <= r < 4 and 0 <= c < 4]
    row, column = inside[int(generator.integers(len(inside)))]
    return exact(cut(photograph, column * 4 + row), patch, photograph.layout)


def off_30_m(photograph: Photograph, patch: int, generator: Generator) -> Raster:
    """Return what lies 30 m away, in a random direction that stays in the photograph."""
    edge, last = photograph.layout.patch_px, photograph.layout.tile_px - photograph.layout.patch_px
    away = _OFF_M / photograph.layout.pixel_m
    while True:
        angle = generator.uniform(0, 2 * np.pi)
        top = round(patch % 4 * edge + away * np.sin(angle))
        left = round(patch // 4 * edge + away * np.cos(angle))
        if min(top, left) >= 0 and max(top, left) <= last:
            pixels = photograph.pixels[:, top : top + edge, left : left + edge]
            return exact(pixels, patch, photograph.layout)


HONEST: tuple[Make, ...] = (
    resampled, other_crs, clipped_outwards, clipped_by_centre, clipped_inwards, shifted_colours, other_season,
)  # fmt: skip
WRONG: tuple[Make, ...] = (
    black, white, half_black, scaled_to_16_bit, scaled_to_nothing, reversed_bands, neighbour, off_30_m,
)  # fmt: skip


def _clipped(
    photograph: Photograph,
    patch: int,
    generator: Generator,
    first: Callable[..., float],
    last: Callable[..., float],
) -> Raster:
    """Clip a patch from a grid with a random origin, whose pixels are 1 to 2 times as large."""
    layout = photograph.layout
    size = generator.uniform(*_SIZES) * layout.pixel_m
    side = layout.patch_px * layout.pixel_m
    near = [index * side for index in (patch // 4, patch % 4)]  # left and top of the patch, in metres
    origins = [at - size * generator.uniform() for at in near]
    (x0, x1), (y0, y1) = [
        (float(first((at - origin) / size)), float(last((at + side - origin) / size)))
        for origin, at in zip(origins, near, strict=True)
    ]
    place = layout.grid.transform
    transform = Affine(size, 0, place.c + origins[0] + x0 * size, 0, -size, place.f - origins[1] - y0 * size)
    return _warp(photograph, patch, transform, layout.grid.crs, int(x1 - x0), int(y1 - y0))


def _warped(photograph: Photograph, patch: int, generator: Generator, crs: str, reach_px: float) -> Raster:
    """Warp a patch and a margin of `reach_px` to pixels of another size."""
    layout = photograph.layout
    corners = layout.grid.patch_corners(np.array([0]), np.array([patch]))[0, :4]
    corners = corners + np.sign(corners - corners.mean(axis=0)) * reach_px * layout.pixel_m
    points = transform_points(layout.grid.crs, crs, corners)
    low, high = points.min(axis=0), points.max(axis=0)
    metre = np.hypot(*(points[1] - points[0])) / np.hypot(*(corners[1] - corners[0]))
    size = generator.uniform(*_WARPED_SIZES) * layout.pixel_m * metre
    columns, rows = np.ceil((high - low) / size).astype(int)
    transform = Affine(size, 0, low[0], 0, -size, high[1])
    return _warp(photograph, patch, transform, crs, int(columns), int(rows))


def _warp(photograph: Photograph, patch: int, transform: Affine, crs: str, columns: int, rows: int) -> Raster:
    source = exact(cut(photograph, patch, _MARGIN), patch, photograph.layout, _MARGIN)
    layers = np.concatenate([source.pixels, np.full((1, *source.pixels.shape[1:]), 255, np.uint8)])
    warped = np.zeros((4, rows, columns), np.uint8)
    reproject(
        layers,
        warped,
        src_transform=source.transform,
        src_crs=source.crs,
        dst_transform=transform,
        dst_crs=crs,
        resampling=Resampling.cubic,
    )
    return raster(warped[:3], transform, crs, warped[3] > 250)
