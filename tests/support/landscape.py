"""A landscape of four covers whose colours are known, so that a preview shows how a file was read."""

import numpy as np
from numpy.typing import NDArray

WHITE = 0.3558  # reflectance shown as 255 (docs/inputs.md)
SIDE_M = 240.0  # three tiles of the starter bundle's 78 m, and some to spare
UTM = "EPSG:32633"
WEST, TOP = 400_000.0, 5_800_000.0
# Red, green, blue and near infrared of forest (upper left), soil (upper right), water and town.
COVERS = np.array(
    [[0.05, 0.09, 0.04, 0.32], [0.26, 0.19, 0.12, 0.30], [0.02, 0.05, 0.09, 0.01], [0.17, 0.16, 0.15, 0.20]]
)

Reflectance = NDArray[np.float64]


def reflectance(side: int) -> Reflectance:
    """Return reflectance (4, side, side): red, green, blue and near infrared of the four covers."""
    half = np.arange(side) >= side / 2
    texture = np.random.default_rng(side).uniform(0.97, 1.03, (4, side, side))
    bands: Reflectance = COVERS[half[:, None] * 2 + half[None, :]].transpose(2, 0, 1) * texture
    return bands


def shown(bands: Reflectance) -> NDArray[np.uint8]:
    """Return the 8-bit colours of reflectance."""
    return np.clip(np.rint(bands / WHITE * 255), 0, 255).astype(np.uint8)


def digital(bands: Reflectance, gain: float = 1e4, offset: float = 0) -> NDArray[np.uint16]:
    """Return reflectance as 16-bit numbers: reflectance x gain + offset."""
    return np.rint(bands * gain + offset).astype(np.uint16)


def quadrants(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the median colour (4, 3) of each quadrant of a preview (H, W, 3), without its edges."""
    height, width = picture.shape[:2]
    colours = []
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        rows = slice(row * height // 2 + height // 12, (row + 1) * height // 2 - height // 12)
        columns = slice(column * width // 2 + width // 12, (column + 1) * width // 2 - width // 12)
        colours.append(np.median(picture[rows, columns].reshape(-1, 3), axis=0))
    return np.array(colours)
