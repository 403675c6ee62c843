"""The arrays of a plan as numpy reads them: what the policy said of each tile, and what was decided."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.grid import PATCHES
from service.plans.tables import Plan

MIN_VALID_SHARE = 0.9
"""Smallest share of valid area of a tile that is planned; the policy never saw tiles with less."""


@dataclass(frozen=True, kw_only=True)
class TileValues:
    """Utilities and valid shares of the T tiles of a scene; patch ids column-major."""

    utilities: NDArray[np.float32]  # (T, 16); 0 where not eligible
    valid_share: NDArray[np.float32]  # (T,)

    @cached_property
    def eligible(self) -> NDArray[np.bool_]:
        """Tiles (T,) with enough valid pixels to be planned."""
        return self.valid_share >= MIN_VALID_SHARE

    def shown_utility(self, tile: int, patch: int) -> float:
        """Round a utility to the six decimals that every document shows."""
        return round(float(self.utilities[tile, patch]), 6)


@dataclass(frozen=True, kw_only=True)
class PlanArrays(TileValues):
    """Values and decisions of the T tiles of a stored plan."""

    selected: NDArray[np.bool_]  # (T, 16)
    filled: NDArray[np.bool_]  # (T, 16)

    @classmethod
    def of(cls, plan: Plan) -> "PlanArrays":
        """Read the bytes of a plan's row."""
        return cls(
            utilities=np.frombuffer(plan.utilities, "<f4").reshape(-1, PATCHES),
            selected=np.frombuffer(plan.selected, np.uint8).reshape(-1, PATCHES).astype(np.bool_),
            filled=np.frombuffer(plan.filled, np.uint8).reshape(-1, PATCHES).astype(np.bool_),
            valid_share=np.frombuffer(plan.valid_share, "<f4"),
        )
