"""A made photograph of ground: fields of several colours, roofs, and texture at every scale."""

import numpy as np
from numpy.typing import NDArray

_COLOURS = np.array(
    [(70, 95, 50), (140, 120, 90), (95, 110, 70), (160, 150, 140), (110, 80, 60), (60, 75, 65)]
)


def make_photograph(seed: int, side: int = 256) -> NDArray[np.uint8]:
    """Return pixels (3, side, side), the same for the same seed."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    seeds = generator.integers(0, side, (24, 2))
    nearest = ((y[..., None] - seeds[:, 0]) ** 2 + (x[..., None] - seeds[:, 1]) ** 2).argmin(axis=-1)
    colours = _COLOURS[generator.integers(0, len(_COLOURS), 24)] * generator.uniform(0.8, 1.2, (24, 1))
    picture = np.moveaxis(colours[nearest], 2, 0)
    for scale in (4, 16, 64):
        coarse = generator.normal(0, 6, (side // scale, side // scale))
        picture = picture + np.kron(coarse, np.ones((scale, scale)))
    for top, left in generator.integers(0, side - 20, (12, 2)):
        picture[:, top : top + 14, left : left + 18] = generator.uniform(150, 230)
    rounded: NDArray[np.uint8] = np.rint(
        (picture + generator.normal(0, 5, picture.shape)).clip(0, 255)
    ).astype(np.uint8)
    return rounded
