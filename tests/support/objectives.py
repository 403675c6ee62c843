"""Objectives of every kind, for properties that hold of all plans."""

from collections.abc import Callable

from hypothesis import strategies as st

from service.money import Money
from service.planner.objectives import (
    CostWeight,
    GuaranteedLoss,
    MaxCost,
    MaxPatches,
    Objective,
    Policy,
    TargetAccuracy,
)

THRESHOLDS: tuple[Callable[[float], Policy | TargetAccuracy | GuaranteedLoss], ...] = (
    lambda threshold: Policy(threshold=threshold),
    lambda threshold: TargetAccuracy(accuracy=0.9, threshold=threshold, measured=0.91),
    lambda threshold: GuaranteedLoss(
        loss="labels", requested=0.05, at_most=0.05, sure=0.9, sites=59, threshold=threshold, mean_patches=4
    ),
)
"""The objectives that buy from a threshold on; a plan by one of them is the plan by any other."""


def by_threshold(thresholds: st.SearchStrategy[float]) -> st.SearchStrategy[Objective]:
    """Draw an objective of any kind that has a threshold."""
    return st.builds(lambda make, threshold: make(threshold), st.sampled_from(THRESHOLDS), thresholds)


def objectives(dollars: int, patches: int) -> st.SearchStrategy[Objective]:
    """Draw an objective of any kind, with limits up to these."""
    return st.one_of(
        by_threshold(st.sampled_from([0.0, 0.3, 0.5, 0.9])),
        st.floats(0, 1).map(lambda one: CostWeight(per_unit=one)),
        st.integers(0, 100 * dollars).map(lambda one: MaxCost(limit=Money(one, "USD"))),
        st.integers(0, patches).map(lambda one: MaxPatches(patches=one)),
    )
