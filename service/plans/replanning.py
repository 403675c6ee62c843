"""A stored plan decided anew: other prices, another objective, the same scene and utilities."""

from uuid import UUID

from pydantic import Field
from sqlalchemy.orm import Session

from service.bundles.card import check_same_bundle
from service.bundles.predictor import Predictor
from service.planner import plan_purchases
from service.planner.objectives import MaxCost, Objective, objective_from_json
from service.plans import repository
from service.plans.arrays import PlanArrays
from service.plans.freezing import Values, freeze
from service.plans.objective_options import ObjectiveError, ObjectiveOptions
from service.plans.reading import grid_of
from service.plans.tables import Plan, Scene
from service.pricing.repository import resolve_price_list, terms_of
from service.settings import Settings


class ReplanIn(ObjectiveOptions):
    """What is to be other than it was; what is not given stays."""

    price_list: str | None = Field(
        None, max_length=64, description="name or id; not given: the newest version of the plan's own list"
    )

    @property
    def has_objective(self) -> bool:
        """Whether any part of an objective was given."""
        return bool(self.model_fields_set - {"price_list"})


def replan(
    session: Session,
    workspace_id: UUID,
    plan_id: UUID,
    wanted: ReplanIn,
    predictor: Predictor,
    settings: Settings,
) -> tuple[Plan, Plan, Scene]:
    """Decide a plan anew and store what takes its place; returns old, new and their scene.

    The networks are not asked again: the plan's own utilities count, whatever bundle is served now.
    Errors: not-found, bundle-changed, price-list-unknown, price-list-not-valid, objective-unclear.
    """
    old = repository.lock_plan(session, workspace_id, plan_id)
    scene = session.get_one(Scene, old.scene_id)
    price_list = resolve_price_list(
        session, workspace_id, wanted.price_list or old.provenance["price_list"]["name"]
    )
    objective = _objective(old, wanted, price_list.currency, predictor)
    arrays, grid = PlanArrays.of(old), grid_of(scene)
    decision = plan_purchases(
        arrays.utilities,
        arrays.eligible,
        grid.patch_areas_m2(),
        terms_of(price_list),
        objective,
        grid.columns,
    )
    values = Values(utilities=arrays.utilities, valid_share=arrays.valid_share)
    bundle = old.provenance["bundle"]
    new = freeze(
        values, decision, objective, price_list, scene, bundle,
        quote_days=settings.quote_days, supersedes=old.id,
    )  # fmt: skip
    return old, repository.keep_plan(session, new), scene


def _objective(old: Plan, wanted: ReplanIn, currency: str, predictor: Predictor) -> Objective:
    if wanted.has_objective:
        if wanted.needs_evaluation:
            check_same_bundle(old.provenance, predictor)
        return wanted.objective_in(currency, predictor.manifest)
    objective = objective_from_json(old.objective)
    if isinstance(objective, MaxCost) and objective.limit.currency != currency:
        raise ObjectiveError(
            f"the plan's limit is in {objective.limit.currency}, the price list in {currency}: "
            "give a max_cost, or another objective",
            max_cost={"amount": objective.limit.amount, "currency": objective.limit.currency},
            currency=currency,
        )
    return objective
