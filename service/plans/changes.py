"""A re-plan as JSON: the new plan and its differences from the one that it supersedes."""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from service.plans.arrays import PlanArrays
from service.plans.schemas import PlanOut
from service.plans.tables import Plan, Scene
from service.web.money import MoneyOut

PATCHES_INLINE = 1000
"""Most changed patches that a replan lists; beyond it, only their number is given."""


class PlannedPatch(BaseModel):
    """A patch of a scene."""

    tile: int = Field(description="Index of the tile.")
    patch: int = Field(description="Index of the patch in the tile, 0 to 15, column-major.")


class PlanChanges(BaseModel):
    """Differences between a new plan and the one it supersedes."""

    added: int = Field(description="Number of patches that only the new plan buys.")
    dropped: int = Field(description="Number of patches that only the old plan bought.")
    kept: int = Field(description="Number of patches that both plans buy.")
    cost_before: MoneyOut = Field(description="Cost of the old plan.")
    cost_now: MoneyOut = Field(description="Cost of the new plan.")
    added_patches: list[PlannedPatch] | None = Field(
        description=f"Patches that only the new plan buys. Null if there are more than {PATCHES_INLINE:,}."
    )
    dropped_patches: list[PlannedPatch] | None = Field(
        description=f"Patches that only the old plan bought. Null if there are more than {PATCHES_INLINE:,}."
    )

    @classmethod
    def between(cls, old: Plan, new: Plan) -> "PlanChanges":
        """Compare two plans of one scene."""
        before, now = PlanArrays.of(old).selected, PlanArrays.of(new).selected
        added, dropped = now & ~before, before & ~now
        return cls(
            added=int(added.sum()),
            dropped=int(dropped.sum()),
            kept=int((now & before).sum()),
            cost_before=MoneyOut.of(old.cost),
            cost_now=MoneyOut.of(new.cost),
            added_patches=_places(added),
            dropped_patches=_places(dropped),
        )


def _places(patches: NDArray[np.bool_]) -> list[PlannedPatch] | None:
    if patches.sum() > PATCHES_INLINE:
        return None
    return [PlannedPatch(tile=int(tile), patch=int(patch)) for tile, patch in np.argwhere(patches)]


class ReplanOut(PlanOut):
    """A plan that supersedes another one, and its changes."""

    changes: PlanChanges = Field(description="Differences from the superseded plan.")

    @classmethod
    def replacing(cls, old: Plan, new: Plan, scene: Scene) -> "ReplanOut":
        """Write a new plan with its differences from the old one."""
        return cls(**dict(PlanOut.of(new, scene)), changes=PlanChanges.between(old, new))
