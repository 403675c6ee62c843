"""The warping of arrays from one CRS to another, on both sides of the 180th meridian."""

from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.warp import reproject

from service.geotiff.ground import transform_points, turn_length


def warp_layers(
    layers: NDArray[Any],
    transform: Affine,
    crs: str,
    target: Affine,
    target_crs: str,
    size: int,
    resampling: Resampling,
) -> NDArray[np.float32]:
    """Warp layers (4, h, w), the last one their validity, to (4, size, size); 0 where they hold nothing."""
    placed = np.zeros((4, size, size), np.float32)
    if not layers.size:
        return placed
    for turn in _turns(layers, transform, crs, target, target_crs, size):
        part = np.zeros_like(placed)
        reproject(
            layers,
            part,
            src_transform=Affine.translation(turn, 0) @ transform,
            src_crs=crs,
            dst_transform=target,
            dst_crs=target_crs,
            resampling=resampling,
        )
        placed = np.where(part[3] > placed[3], part, placed)
    return placed


def _turns(
    layers: NDArray[Any], transform: Affine, crs: str, target: Affine, target_crs: str, size: int
) -> list[float]:
    """Return by how much x the layers must move to lie where PROJ expects parts of the target.

    That is 0, except beside the 180th meridian, where PROJ may expect another turn around the Earth.
    """
    turn = turn_length(crs)
    if not turn:
        return [0.0]
    _, height, width = layers.shape
    centre = (transform @ (width / 2, height / 2))[0]
    corners = np.array([target @ at for at in ((0, 0), (size, 0), (0, size), (size, size))])
    x = transform_points(target_crs, crs, corners)[:, 0]
    return [float(turns) * turn for turns in np.unique(np.round((x - centre) / turn))]
