"""The cost of a planned scene at every threshold, beside the accuracy that the bundle measured there."""

from pydantic import BaseModel, Field

from service.bundles.card import accuracy_source, images_measured
from service.bundles.predictor import Predictor
from service.planner import decider
from service.planner.curve import cost_curve, nearest
from service.plans.arrays import PlanArrays
from service.plans.reading import grid_of
from service.plans.tables import Plan, Scene
from service.pricing.billing import PriceTerms
from service.web.money import MoneyOut


class PlanCurvePoint(BaseModel):
    """One threshold: the cost of the scene, and the accuracy that the bundle measured."""

    threshold: float = Field(description="Utility from which patches are bought at this point.")
    patches: int = Field(description="Number of patches bought, free ones included.")
    cost: MoneyOut = Field(description="Bill for these patches.")
    saving: MoneyOut = Field(description="Billable saving, as in the plan.")
    expected_accuracy: float = Field(description="Accuracy that the bundle reached at this threshold.")
    interval: tuple[float, float] | None = Field(
        description="95 % confidence interval (Wilson) of the accuracy, from the number of images. "
        "Null if the bundle does not state that number."
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
    decide = decider(arrays.utilities, arrays.eligible, areas, terms, grid.columns, arrays.taken)
    manifest, task = predictor.manifest, predictor.manifest.default_task
    images = images_measured(manifest)
    curve = cost_curve(decide, manifest.curve_for(task), images)
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
            interval=point.interval,
            chosen=at == chosen,
        )
        for at, point in enumerate(curve)
    ]
    return PlanCurve(points=points, images=images, source=accuracy_source(predictor))
