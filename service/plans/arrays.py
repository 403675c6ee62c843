"""The arrays of a plan as numpy reads them: what the policy said of each tile, and what was decided."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.grid import PATCHES
from service.plans.counts import SceneCounts
from service.plans.tables import Plan

OWNED, ON_ORDER, ENCLOSED = 1, 2, 4
"""Flags of `plan.ground`."""

MIN_VALID_SHARE = 0.9
"""Smallest share of valid area of a tile that is planned; the policy never saw tiles with less."""


@dataclass(frozen=True, kw_only=True)
class TileValues:
    """Utilities and valid shares of the T tiles of a scene; patch ids column-major."""

    utilities: NDArray[np.float32]  # (T, 16) in units of the task's value; 0 where not eligible
    valid_share: NDArray[np.float32]  # (T,)
    counts: SceneCounts | None
    """Number of objects in each patch; None for a bundle that counts nothing."""

    @cached_property
    def eligible(self) -> NDArray[np.bool_]:
        """Tiles (T,) with enough valid pixels to be planned."""
        return self.valid_share >= MIN_VALID_SHARE

    def shown_utility(self, tile: int, patch: int) -> float:
        """Round a utility to the six decimals that every document shows."""
        return round(float(self.utilities[tile, patch]), 6)

    def shown_objects(self, tile: int, patch: int) -> float | None:
        """Round the number of objects of a patch to six decimals; None if the bundle counts none."""
        return None if self.counts is None else round(float(self.counts.numbers[tile, patch]), 6)


@dataclass(frozen=True, kw_only=True)
class PlanArrays(TileValues):
    """Values and decisions of the T tiles of a stored plan."""

    selected: NDArray[np.bool_]  # (T, 16)
    filled: NDArray[np.bool_]  # (T, 16)
    ground: NDArray[np.uint8]
    """(T, 16): flags of the ground, 0 where it was neither owned nor on order."""
    reuses: bool
    """Whether patches that were owned or on order are not bought again."""

    @property
    def owned(self) -> NDArray[np.bool_]:
        """Patches (T, 16) that the workspace owned."""
        return (self.ground & OWNED) > 0

    @property
    def on_order(self) -> NDArray[np.bool_]:
        """Patches (T, 16) that an open order awaited."""
        return (self.ground & ON_ORDER) > 0

    @property
    def taken(self) -> NDArray[np.bool_]:
        """Patches (T, 16) that the plan does not buy because they are owned or on order."""
        return (self.owned | self.on_order) & self.reuses

    @property
    def arranged(self) -> NDArray[np.bool_]:
        """The selected patches (T, 16), and those that the ordered shapes enclose as padding."""
        return self.selected | ((self.ground & ENCLOSED) > 0)

    @classmethod
    def of(cls, plan: Plan) -> "PlanArrays":
        """Read the bytes of a plan's row."""
        utilities = np.frombuffer(plan.utilities, "<f4").reshape(-1, PATCHES)
        ground = bytes(utilities.size) if plan.ground is None else plan.ground
        return cls(
            utilities=utilities,
            counts=SceneCounts.of(plan),
            selected=np.frombuffer(plan.selected, np.uint8).reshape(-1, PATCHES).astype(np.bool_),
            filled=np.frombuffer(plan.filled, np.uint8).reshape(-1, PATCHES).astype(np.bool_),
            valid_share=np.frombuffer(plan.valid_share, "<f4"),
            ground=np.frombuffer(ground, np.uint8).reshape(-1, PATCHES),
            reuses=plan.reuse is not None and plan.reuse["mode"] == "owned",
        )
