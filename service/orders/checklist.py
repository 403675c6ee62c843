"""The checklist of an order: which patches were bought, and which of them are awaited. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.grid import PATCHES

Place = tuple[int, int]  # tile, patch


@dataclass(frozen=True, kw_only=True)
class Checklist:
    """The bought patches of a plan: `selected` is bool (T, 16), patch ids column-major in a tile.

    A patch's rank is its position among the bought patches in plan order, from 0. The rank decides the
    patch's share of the cost, so that shares do not depend on the order of deliveries.
    """

    selected: NDArray[np.bool_]

    @property
    def total(self) -> int:
        """Number of bought patches."""
        return int(self.selected.sum())

    def is_bought(self, tile: int, patch: int) -> bool:
        """Say whether the plan bought this patch; False for places outside the scene."""
        inside = 0 <= tile < len(self.selected) and 0 <= patch < PATCHES
        return inside and bool(self.selected[tile, patch])

    def rank(self, tile: int, patch: int) -> int:
        """Return the rank of a bought patch, 0 .. total - 1. ValueError for a patch that was not bought."""
        if not self.is_bought(tile, patch):
            raise ValueError(f"patch {patch} of tile {tile} was not bought")
        return int(self.selected.ravel()[: tile * PATCHES + patch].sum())

    def ranks(self) -> NDArray[np.intp]:
        """Return the ranks of all bought patches at once, (T, 16); other elements have no meaning."""
        return (self.selected.ravel().cumsum() - 1).reshape(self.selected.shape)

    def awaited(self, delivered: Iterable[Place]) -> list[Place]:
        """Return the bought patches that are not in `delivered`, in plan order."""
        waiting = self.selected.copy()
        for tile, patch in delivered:
            waiting[tile, patch] = False
        return [(int(tile), int(patch)) for tile, patch in np.argwhere(waiting)]
