"""A stored plan's arrays as numpy reads them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.grid import PATCHES
from service.plans.reading import MIN_VALID_SHARE
from service.plans.tables import Plan


@dataclass(frozen=True, kw_only=True)
class PlanArrays:
    """What a plan says of its T tiles; patch ids column-major."""

    utilities: NDArray[np.float32]  # (T, 16)
    selected: NDArray[np.bool_]  # (T, 16)
    filled: NDArray[np.bool_]  # (T, 16)
    valid_share: NDArray[np.float32]  # (T,)

    @classmethod
    def of(cls, plan: Plan) -> "PlanArrays":
        """Read the bytes of a plan's row."""
        return cls(
            utilities=np.frombuffer(plan.utilities, "<f4").reshape(-1, PATCHES),
            selected=np.frombuffer(plan.selected, np.uint8).reshape(-1, PATCHES).astype(np.bool_),
            filled=np.frombuffer(plan.filled, np.uint8).reshape(-1, PATCHES).astype(np.bool_),
            valid_share=np.frombuffer(plan.valid_share, "<f4"),
        )

    def shown_utility(self, tile: int, patch: int) -> float:
        """A utility as every document shows it: six decimals."""
        return round(float(self.utilities[tile, patch]), 6)

    @cached_property
    def eligible(self) -> NDArray[np.bool_]:
        """(T,): which tiles had enough valid pixels to be planned."""
        return self.valid_share >= MIN_VALID_SHARE
