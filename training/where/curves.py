"""Curves against dollars: objects and labels of every row, with intervals, for one size of patches."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.objects.maps import Mask
from training.objects.outcome import bootstrap
from training.where.bills import Terms, bills_usd
from training.where.dollars import swept_by_shape
from training.where.rows import PER_TILE, Measured, Row, Seen, measure, outcome

DRAWN = (0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 16.0)
"""Mean numbers of patches per tile of a curve."""
EVERY = 2
"""Of the choices that know about polygons, one in so many is drawn."""

Point = tuple[float, float, float]
"""A share with the ends of its 95 % interval, by a bootstrap over sites."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One row along its sizes."""

    name: str
    usd: tuple[float, ...]
    """Bill of all scenes in dollars."""
    found: tuple[Point, ...]
    """Share of the objects in bought patches."""
    right: tuple[Point, ...]
    """Share of right labels."""


def row_curve(by_seed: Sequence[Seen], row: Row, factor: int, terms: Terms, bins: Sequence[int]) -> Curve:
    """Measure a row along DRAWN, of patches of `factor` patches of the data set a side."""
    whole = row.spending == PER_TILE
    sizes = [size for size in DRAWN if not whole or size == round(size)]
    return _curve(row.name, by_seed, [measure(by_seed, row, size, bins, factor) for size in sizes], terms)


def shaped_curve(name: str, by_seed: Sequence[Seen], factor: int, terms: Terms, bins: Sequence[int]) -> Curve:
    """Measure the choice that knows how polygons are billed."""
    points = []
    for seeds in swept_by_shape(by_seed, factor, terms)[::EVERY]:
        parts = [outcome(seen, masks, bins) for seen, masks in zip(by_seed, seeds, strict=True)]
        found, right, error, patches = (torch.stack(part).mean(0) for part in zip(*parts, strict=True))
        masks = tuple(list(one) for one in seeds)
        points.append(Measured(found=found, right=right, error=error, patches=patches, masks=masks))
    return _curve(name, by_seed, points, terms)


def _curve(name: str, by_seed: Sequence[Seen], cells: Sequence[Measured], terms: Terms) -> Curve:
    tiles = by_seed[0].tiles[1]
    total, one = tiles.counts.sum(1), torch.ones(len(tiles), dtype=torch.float64)
    return Curve(
        name=name,
        usd=tuple(total_usd(cell.masks, terms) for cell in cells),
        found=tuple(_point(tiles.sites, cell.found, total) for cell in cells),
        right=tuple(_point(tiles.sites, cell.right, one) for cell in cells),
    )


def total_usd(by_seed: Sequence[Sequence[Mask]], terms: Terms) -> float:
    """Return the bill of all scenes in dollars: the mean over seeds."""
    return float(sum(bills_usd(masks, terms).sum() for masks in by_seed)) / len(by_seed)


def _point(sites: Sequence[str], part: Tensor, whole: Tensor) -> Point:
    return (float(part.sum() / whole.sum()), *bootstrap(sites, part, whole))
