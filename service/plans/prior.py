"""The readings of patches that the workspace owns already, which a new plan starts from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import Depends, Request
from pydantic import BaseModel, Field

from service.bundles.predictor import Predictor
from service.bundles.registry import Bundles
from service.database.engine import Database
from service.plans.arrays import TileValues
from service.plans.counts import SceneCounts
from service.plans.inputs import PlanInputs
from service.plans.tables import Plan, Scene


class PlanPrior(BaseModel):
    """The owned patches that were read before a new plan was made, and that changed what it expects."""

    patches: int = Field(description="Number of patches that were read.")
    older: int = Field(
        description="Number of these that were bought for another scene. They may be of an earlier date and "
        "weigh less."
    )
    objects: float = Field(description="Number of objects that was read in them.")
    expected: float = Field(description="Number that was expected in them from low resolution.")
    orders: list[UUID] = Field(description="Ids of the orders that delivered them.")


@dataclass(frozen=True, kw_only=True, eq=False)
class Prior:
    """The counts of a scene after its owned patches were read, as far as there are any."""

    counts: SceneCounts
    described: dict[str, Any] | None
    """The members of PlanPrior, as a plan's row keeps them; None if nothing was read."""


PriorReader = Callable[[Database, Scene, TileValues, PlanInputs, Predictor], Prior | None]
"""Reads the owned patches of a scene; None if there is none, or if the bundle cannot use them.

The rounds implement it, which build on the plans; the application connects the two.
"""

Replanner = Callable[[Database, Plan, Scene, PlanInputs, Bundles, int], Plan]
"""Chooses again what to buy of a plan's scene, by what is owned now; the quote ends after some days.

The rounds implement it as well.
"""


def get_prior_reader(request: Request) -> PriorReader:
    """Return the application's reader."""
    return cast(PriorReader, request.state.read_prior)


def get_replanner(request: Request) -> Replanner:
    """Return the application's replanner."""
    return cast(Replanner, request.state.replan)


PriorDep = Annotated[PriorReader, Depends(get_prior_reader)]
ReplannerDep = Annotated[Replanner, Depends(get_replanner)]
