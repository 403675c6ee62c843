"""The rows of the table `where`: a way to choose patches, and what its choices find, label and count."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from models.grid import PATCHES
from training.methods.masks import top_masks
from training.objects.maps import FACTORS, Mask, SceneMap, bought_of, masks_of, tiles_of
from training.objects.outcome import count_error, found, labels_right
from training.objects.promises import task_values
from training.objects.tiles import ObjectTiles
from training.where.orders import FIXED, ORDERS, buy_per_tile, buy_portfolio

PER_TILE = "the same for each tile"
PORTFOLIO = "one budget over all tiles"
OURS_FOR_LABELS = "Loupe: value for labels"
LABEL_ORACLE = "Oracle: fewest patches for a right label"
NEARLY_CERTAIN = 1e-9
"""Variance of a reading without errors: not 0, so that readings can be weighed by it."""

Choose = Callable[[ObjectTiles, int, float], Tensor]
"""Function of tiles, a seed and a mean number of patches per tile to the patches to buy, bool (N, 16)."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One way to choose patches."""

    order: str
    spending: str
    """PER_TILE or PORTFOLIO; a fixed order gives the same choice under either."""
    choose: Choose

    @property
    def name(self) -> str:
        """Order and spending."""
        return f"{self.order}, {self.spending}"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The test scenes of all folds, as the networks of one seed see them."""

    maps: tuple[SceneMap, ...]

    @cached_property
    def tiles(self) -> Mapping[int, ObjectTiles]:
        """The scenes cut into tiles, by the factor of their patches."""
        return {factor: tiles_of(self.maps, factor) for factor in FACTORS}

    def read_perfectly(self) -> "Seen":
        """Return the same scenes as a counter without errors reads them."""
        return Seen(maps=tuple(replace(one, layers=_perfect(one.layers)) for one in self.maps))


def _perfect(layers: Mapping[str, Tensor]) -> dict[str, Tensor]:
    counts = layers["counts"]
    return {**layers, "read": counts, "read_variance": torch.full_like(counts, NEARLY_CERTAIN)}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Gain of a row's purchases, by tile of the data set: means over seeds, float64 (N,)."""

    found: Tensor
    """Objects in bought patches."""
    right: Tensor
    """1.0 for a right label."""
    error: Tensor
    """Absolute error of the count."""
    patches: Tensor
    """Patches bought."""
    masks: tuple[list[Mask], ...]
    """Bought patches of each scene, by seed."""


def table_rows(bins: Sequence[int]) -> tuple[Row, ...]:
    """Return every row whose choice follows from the tiles; `bins` are the classes by count."""
    spendings: dict[str, Callable[[Tensor, float], Tensor]] = {
        PER_TILE: lambda preference, patches: buy_per_tile(preference, round(patches)),
        PORTFOLIO: buy_portfolio,
    }
    rows = [
        Row(order=order, spending=spending, choose=_choose(order, buy))
        for order in ORDERS
        for spending, buy in spendings.items()
        if spending == PER_TILE or order not in FIXED
    ]
    for_labels = [
        Row(order=OURS_FOR_LABELS, spending=spending, choose=_for_labels(bins, buy))
        for spending, buy in spendings.items()
    ]
    oracles = [
        Row(order=LABEL_ORACLE, spending=spending, choose=_label_oracle(bins, spending))
        for spending in spendings
    ]
    return (*rows, *for_labels, *oracles)


def _choose(order: str, buy: Callable[[Tensor, float], Tensor]) -> Choose:
    return lambda tiles, seed, patches: buy(ORDERS[order](tiles, seed), patches)


def _for_labels(bins: Sequence[int], buy: Callable[[Tensor, float], Tensor]) -> Choose:
    def choose(tiles: ObjectTiles, _seed: int, patches: float) -> Tensor:
        return buy(task_values(tiles, "label", bins), patches)

    return choose


def _label_oracle(bins: Sequence[int], spending: str) -> Choose:
    """Buy, knowing the truth, the fewest patches that make a label right, the cheapest labels first."""

    def choose(tiles: ObjectTiles, _seed: int, patches: float) -> Tensor:
        # The patches that LR is most wrong about; greedy, so a smaller choice may exist.
        surprise = (tiles.counts - tiles.mean).abs()
        nested = [top_masks(surprise, size) for size in range(PATCHES + 1)]
        right = torch.stack([labels_right(tiles, mask, bins) for mask in nested])  # (17, N)
        needed = torch.where(right.any(0), right.argmax(0), 0)  # nothing for labels that stay wrong
        if spending == PER_TILE:
            needed = torch.where(needed <= patches, needed, 0)
        else:
            cheapest = needed.argsort(stable=True)
            affordable = needed[cheapest].cumsum(0) <= patches * len(tiles)
            needed[cheapest[~affordable]] = 0
        return top_masks(surprise, needed)

    return choose


def measure(
    by_seed: Sequence[Seen], row: Row, patches: float, bins: Sequence[int], factor: int = 1
) -> Measured:
    """Measure a row at a mean number of patches, of `factor` patches of the data set a side, over seeds."""
    columns, masks = [], []
    for seed, seen in enumerate(by_seed):
        chosen = masks_of(seen.maps, row.choose(seen.tiles[factor], seed, patches), factor)
        columns.append(outcome(seen, chosen, bins))
        masks.append(chosen)
    parts = [torch.stack(column).mean(0) for column in zip(*columns, strict=True)]
    return Measured(found=parts[0], right=parts[1], error=parts[2], patches=parts[3], masks=tuple(masks))


def outcome(seen: Seen, masks: Sequence[Mask], bins: Sequence[int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return objects found, right labels, errors of the count and patches bought by tile: float64 (N,)."""
    tiles, bought = seen.tiles[1], bought_of(seen.maps, masks)
    return (
        found(tiles, bought),
        labels_right(tiles, bought, bins),
        count_error(tiles, bought),
        bought.double().sum(1),
    )
