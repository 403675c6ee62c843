"""The cost of a planned scene at every threshold, beside what the bundle measured and expects there."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from models.manifest import CountManifest, Manifest
from models.tasks import Task
from service.bundles.card import accuracy_source, images_measured, site_interval
from service.bundles.predictor import Predictor
from service.planner import decider
from service.planner.curve import CostPoint, cost_curve, nearest
from service.plans.arrays import PlanArrays
from service.plans.counts import SceneCounts
from service.plans.objects import DIGITS, count_in, expected_labels
from service.plans.reading import grid_of
from service.plans.tables import Plan, Scene
from service.pricing.billing import PriceTerms
from service.stopping import checkpoint
from service.web.money import MoneyOut


class ExpectedHere(BaseModel):
    """Expectation of this scene once a point's patches are bought, beside those that the plan reuses.

    Reused patches, which are owned or on order, count in every figure: with the number that was read in them
    before the plan was made, otherwise with the expected one.
    """

    objects: float = Field(description="Number of objects in bought and in reused patches, expected or read.")
    objects_low: float = Field(
        description="Lower end of the 95 % interval of that number, which takes the patches as independent."
    )
    objects_high: float = Field(description="Upper end of that interval.")
    objects_share: float = Field(
        description="Share of the objects of the whole scene, expected or read, that lie there, 0 to 1."
    )
    correct_labels: float = Field(
        description="Expected number of tiles with the correct label, if every bought or reused patch is "
        "read without error."
    )
    correct_share: float = Field(description="Share of the planned tiles that these are, 0 to 1.")

    @classmethod
    def of(
        cls, arrays: PlanArrays, counts: SceneCounts, selected: NDArray[np.bool_], bins: tuple[int, ...]
    ) -> "ExpectedHere":
        """Compute the expectation for patches (T, 16) that are bought; `bins` make the classes."""
        held = selected | arrays.taken
        correct = expected_labels(counts, arrays.eligible, held, bins)
        there, everything = count_in(counts, held), float(counts.numbers.sum(dtype=np.float64))
        objects = float(counts.numbers[held].sum(dtype=np.float64))
        return cls(
            objects=round(objects, DIGITS),
            objects_low=there.low,
            objects_high=there.high,
            objects_share=round(objects / (everything or 1.0), 6),
            correct_labels=round(correct, DIGITS),
            correct_share=round(correct / max(int(arrays.eligible.sum()), 1), 6),
        )


class PlanCurvePoint(BaseModel):
    """One threshold: the cost of the scene, the measured accuracy, and what to expect here."""

    threshold: float = Field(
        description="Utility from which patches are bought at this point, in the plan's `utility_unit`."
    )
    patches: int = Field(description="Number of patches bought, free ones included.")
    cost: MoneyOut = Field(description="Bill for these patches.")
    saving: MoneyOut = Field(description="Billable saving, as in the plan.")
    expected_accuracy: float = Field(description="Accuracy that the bundle reached at this threshold.")
    interval: tuple[float, float] | None = Field(
        description="95 % confidence interval of the accuracy: Wilson's, from the number of images, or for a "
        "bundle that counts a bootstrap over sites. Null if the bundle states neither."
    )
    measured_found: float | None = Field(
        description="Share of all objects that lay in bought patches in the bundle's evaluation. Null if the "
        "bundle counts nothing."
    )
    measured_count_error: float | None = Field(
        description="Mean absolute error of a tile's count in the bundle's evaluation. Null if the bundle "
        "counts nothing."
    )
    here: ExpectedHere | None = Field(
        description="Expectation for this scene, from the counts that the plan keeps. Null if the bundle "
        "counts nothing."
    )
    chosen: bool = Field(description="Whether this is the point nearest to the plan.")


class PlanCurve(BaseModel):
    """Cost against expected accuracy, cheapest point first."""

    points: list[PlanCurvePoint] = Field(
        description="Points of the curve. Empty if the bundle was released without an evaluation curve."
    )
    images: int | None = Field(
        description="Number of images that the accuracy was measured on. Null if the bundle omits it."
    )
    source: str = Field(description="How the accuracy was measured.")


def curve_of(plan: Plan, scene: Scene, terms: PriceTerms, predictor: Predictor) -> PlanCurve:
    """Price a stored plan's scene at every threshold that the plan's own bundle was measured at.

    Opens no database session.
    """
    arrays, grid = PlanArrays.of(plan), grid_of(scene)
    areas = grid.patch_areas_m2()
    decide = decider(arrays.utilities, arrays.eligible, areas, terms, grid.columns, arrays.taken, checkpoint)
    manifest, task = predictor.manifest, plan.task
    images, measured = images_measured(manifest), {one.threshold: one for one in manifest.curve_for(task)}
    curve = cost_curve(decide, measured.values(), images)
    chosen = nearest(
        curve, plan.bill["wanted"], plan.objective.get("threshold", manifest.threshold_for(task))
    )
    points = [
        PlanCurvePoint(
            threshold=point.threshold,
            patches=point.patches,
            cost=MoneyOut.of(point.cost),
            saving=MoneyOut.of(point.saving),
            expected_accuracy=point.expected_accuracy,
            measured_found=measured[point.threshold].found,
            measured_count_error=measured[point.threshold].count_error,
            chosen=at == chosen,
            **_of_kind(manifest, task, point, arrays),
        )
        for at, point in enumerate(curve)
    ]
    return PlanCurve(points=points, images=images, source=accuracy_source(predictor, task))


def _of_kind(manifest: Manifest, task: Task, point: CostPoint, arrays: PlanArrays) -> dict[str, Any]:
    """Return the fields of a point that depend on the bundle's kind."""
    if isinstance(manifest, CountManifest) and arrays.counts is not None:
        here = ExpectedHere.of(arrays, arrays.counts, point.selected, manifest.bins)
        return {"interval": site_interval(manifest, task, point.threshold), "here": here}
    return {"interval": point.interval, "here": None}
