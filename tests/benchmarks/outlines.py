"""How the service and the library `antimeridian` split outlines: their areas, and the time of both.

    python -m tests.benchmarks.outlines

Squares at the 180th meridian are compared in longitude and latitude, squares at the poles in the polar
projection that they are squares of. Record 58 has the figures.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import antimeridian
import numpy as np
import shapely
import torch
from numpy.typing import NDArray
from pyproj import Transformer

import service.geotiff  # noqa: F401  (first, for it locks GDAL)
from service.imagery.geojson import geometry
from training.run.provenance import git_revision, hardware

Ring = NDArray[np.float64]
POLES = ("EPSG:3413", "EPSG:3031")


@dataclass
class Measured:
    """Seconds that a way took, and its errors of area as shares of the true area."""

    seconds: float = 0
    errors: list[float] = field(default_factory=list)

    def shape(self, split: Callable[[Ring], shapely.Geometry], ring: Ring) -> shapely.Geometry:
        """Split a ring and count the time."""
        begun = time.perf_counter()
        shape = split(ring)
        self.seconds += time.perf_counter() - begun
        return shape


def ours(ring: Ring) -> shapely.Geometry:
    """Split a closed ring (P, 2) as the service does."""
    return shapely.geometry.shape(geometry([ring]))


def library(ring: Ring) -> shapely.Geometry:
    """Split a closed ring (P, 2) as the library does, with straight sides in longitude and latitude."""
    return antimeridian.fix_polygon(shapely.Polygon(ring), great_circle=False, fix_winding=False)


def square(middle: Ring, half: float, angle: float, points: int) -> Ring:
    """Return a turned square as an open ring with some points on each side."""
    along = np.linspace(-1, 1, points, endpoint=False)
    edge = np.full(points, 1.0)
    sides = [(along, -edge), (edge, along), (-along, edge), (-edge, -along)]
    ring = half * np.concatenate([np.stack(side, axis=1) for side in sides])
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(ring @ np.array([[cos, sin], [-sin, cos]]) + middle)


def at_the_meridian(random: np.random.Generator, count: int) -> Iterator[tuple[Ring, float]]:
    """Make closed rings that cross the 180th meridian, with their areas in square degrees."""
    for _ in range(count):
        half = random.uniform(0.01, 2)
        middle = np.array([180 + random.uniform(-0.9, 0.9) * half, random.uniform(-75, 75)])
        ring = square(middle, half, random.uniform(0, np.pi), int(random.integers(1, 8)))
        ring[:, 0] = (ring[:, 0] + 180) % 360 - 180
        yield np.concatenate([ring, ring[:1]]), 4 * half**2


def at_a_pole(random: np.random.Generator, crs: str, count: int) -> Iterator[tuple[Ring, float]]:
    """Make closed rings of longitude and latitude around or beside a pole, with their projected areas."""
    to_degrees = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    for _ in range(count):
        half = 10 ** random.uniform(2, 4.5)
        middle = random.uniform(-1.5, 1.5, 2) * half
        ring = square(middle, half, random.uniform(0, np.pi), int(random.integers(1, 20)))
        degrees = np.stack(to_degrees.transform(*ring.T), axis=1)
        yield np.concatenate([degrees, degrees[:1]]), 4 * half**2


def projected_area(shape: shapely.Geometry, crs: str) -> float:
    """Measure a shape of longitude and latitude in a projection, its sides cut into degrees."""
    to_plane = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    sides = shapely.segmentize(shape, 1.0)
    projected = shapely.transform(sides, lambda at: np.stack(to_plane.transform(*at.T), axis=1))
    return float(shapely.area(shapely.make_valid(projected)))


def compare(
    name: str, rings: Iterator[tuple[Ring, float]], area: Callable[[shapely.Geometry], float]
) -> None:
    """Print how far the areas of both ways are from the true ones."""
    ways = {"ours": Measured(), "antimeridian": Measured()}
    for ring, true in rings:
        for split, measured in zip((ours, library), ways.values(), strict=True):
            measured.errors.append(abs(area(measured.shape(split, ring)) / true - 1))
    for way, measured in ways.items():
        errors = np.array(measured.errors)
        print(
            f"{name:20} {way:14} {len(errors):5} squares, {int((errors > 0.01).sum()):4} wrong by over 1 %, "
            f"median error {np.median(errors):.1e}, {1000 * measured.seconds / len(errors):.2f} ms each"
        )


def main() -> None:
    """Compare at the 180th meridian and at both poles."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--squares", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    print(git_revision(), hardware(torch.device("cpu")))
    compare(
        "180th meridian", at_the_meridian(random, options.squares), lambda shape: float(shapely.area(shape))
    )
    for crs in POLES:
        rings = at_a_pole(random, crs, options.squares)
        compare(f"pole, {crs}", rings, partial(projected_area, crs=crs))


if __name__ == "__main__":
    main()
