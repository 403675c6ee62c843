"""The page that compares a plan with other limits and price lists, and leaves it as it is."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response

from service.bundles.registry import Bundles, BundlesDep
from service.dashboard.curves import charts_of
from service.dashboard.forms import FormDep, SentForm
from service.dashboard.frame import go_to, show
from service.dashboard.plan_page import PlanRecord, described, read_record
from service.dashboard.rendering import in_text
from service.dashboard.session import PATH, VisitorDep
from service.database.engine import Database, DatabaseDep
from service.errors import InvalidInputError, LoupeError
from service.money import Money
from service.planner.objectives import MaxCost, MaxPatches, Objective, objective_from_json
from service.plans.arrays import PlanArrays
from service.plans.ground import BoughtGround, GroundDep, GroundReader
from service.plans.options import ReplanIn
from service.plans.planning import ReplanningDep
from service.plans.reuse import taken_since
from service.plans.routes import replan_scene
from service.plans.what_if import Choice, ListOffer, Outcome, WhatIf
from service.pricing.repository import lists_in_force
from service.pricing.tables import PriceList
from service.settings import BlobsDep
from service.web.money import MoneyOut
from service.web.problems import problem_of
from service.web.turns import TurnDep

router = APIRouter(prefix=f"{PATH}/plans/{{plan_id}}/what-if", include_in_schema=False)
STEPS = 100
"""Steps of a slider over its whole range, as far as amounts have decimals."""
AmountQuery = Annotated[str | None, Query(max_length=30)]
PatchesQuery = Annotated[str | None, Query(max_length=12)]


@dataclass(frozen=True)
class Slider:
    """A range of limits, all as text that a form can send."""

    name: str
    most: str
    step: str
    value: str


@dataclass(frozen=True)
class Figures:
    """The figures of the plan or of a choice."""

    cost: MoneyOut
    saving: MoneyOut
    patches: int
    outcome: Outcome

    @classmethod
    def of(cls, cost: Money, saving: Money, patches: int, outcome: Outcome) -> "Figures":
        """Write figures."""
        return cls(MoneyOut.of(cost), MoneyOut.of(saving), patches, outcome)


@dataclass(frozen=True, kw_only=True)
class OfferRow:
    """A price list in the comparison."""

    price_list: PriceList
    words: str
    is_own: bool
    """Whether the plan was made with it."""
    same: MoneyOut
    best: Choice | None
    best_cost: MoneyOut | None

    @classmethod
    def of(cls, offer: ListOffer, *, is_own: bool) -> "OfferRow":
        """Write what a list charges."""
        return cls(
            price_list=offer.price_list,
            words=described(offer.price_list),
            is_own=is_own,
            same=MoneyOut.of(offer.same),
            best=offer.best,
            best_cost=None if offer.best is None else MoneyOut.of(offer.best.cost),
        )


@dataclass(frozen=True, kw_only=True)
class Now:
    """Prices and ground as they are today; those of a plan are of its day."""

    lists: Sequence[PriceList]
    """Price lists in force."""
    bought: Sequence[BoughtGround]
    """Ground near the scene that is owned or on order."""


@router.get("", name="show_what_if")
def what_if(
    request: Request,
    visitor: VisitorDep,
    database: DatabaseDep,
    bundles: BundlesDep,
    read_ground: GroundDep,
    plan_id: UUID,
    _turn: TurnDep,
    budget: AmountQuery = None,
    patches: PatchesQuery = None,
) -> Response:
    """Show what another limit buys, at the prices of every list. Nothing is stored."""
    record = read_record(database, visitor.workspace_id, plan_id)
    now = read_now(database, record, read_ground)
    objective = objective_from_json(record.plan.objective)
    refusal = None
    try:
        objective = wanted_objective(record, budget, patches)
    except LoupeError as error:
        refusal = error
    values = page_values(record, bundles, objective, now)
    if refusal is None:
        return show(request, visitor, "what_if.html", **values)
    problem = problem_of(request, refusal)
    return show(request, visitor, "what_if.html", status=refusal.status, problem=problem, **values)


@router.post("", name="save_what_if")
def save(
    sent: FormDep,
    replanning: ReplanningDep,
    blobs: BlobsDep,
    bundles: BundlesDep,
    plan_id: UUID,
    _turn: TurnDep,
    price_list: Annotated[UUID, Form()],
    budget: Annotated[str, Form(max_length=30)] = "",
    patches: Annotated[str, Form(max_length=12)] = "",
) -> Response:
    """Make a new plan that replaces this one, as `POST /v1/plans/{plan_id}/replan` does."""
    record = read_record(sent.database, sent.visitor.workspace_id, plan_id)
    try:
        sent.allow("replan_scene")
        objective = wanted_objective(record, budget or None, patches or None)
        wanted = ReplanIn.model_validate({"price_list": str(price_list)} | _options(objective))
        answer = replan_scene(
            plan_id, sent.visitor, wanted, blobs, replanning, None, later=False, key=sent.key
        )
    except LoupeError as refusal:
        if refusal.status >= 500:
            raise
        return _refused(sent, bundles, record, replanning.read_ground, refusal)
    made = json.loads(bytes(answer.body))
    return go_to(sent.request, sent.visitor, f"{PATH}/plans/{made['id']}", _saved(made))


def wanted_objective(record: PlanRecord, budget: str | None, patches: str | None) -> Objective:
    """Return the objective that a page asks for: at most a cost, at most some patches, or the plan's own.

    InvalidInputError for both at once, and for what is no amount or number.
    """
    if budget and patches:
        raise InvalidInputError("A plan has one limit. Set the most to spend or the most patches, not both.")
    if budget:
        return MaxCost(limit=_read_amount(budget.strip(), record.plan.currency))
    if patches:
        return MaxPatches(patches=read_number(patches))
    return objective_from_json(record.plan.objective)


def _read_amount(text: str, currency: str) -> Money:
    limit = Money.parse(text, currency)
    if limit.minor < 0:
        raise InvalidInputError(f"The most to spend cannot be {text}. Give 0 or more.")
    return limit


def read_number(text: str) -> int:
    """Read a whole number that a person wrote; InvalidInputError for another text."""
    cleaned = text.strip().replace(",", "")
    if not (cleaned.isascii() and cleaned.isdigit() and len(cleaned) <= 9):
        raise InvalidInputError(f"{text!r} is no number of patches. Write a whole number, such as 120.")
    return int(cleaned)


def read_now(database: Database, record: PlanRecord, read_ground: GroundReader) -> Now:
    """Read what a plan is compared with."""
    workspace_id = record.plan.workspace_id
    with database.sessions() as session:
        return Now(
            lists=lists_in_force(session, workspace_id),
            bought=read_ground(session, workspace_id, record.grid),
        )


def page_values(record: PlanRecord, bundles: Bundles, objective: Objective, now: Now) -> dict[str, Any]:
    """Return the values of the template `what_if.html`. Opens no session."""
    plan = record.plan
    held = bundles.of_plan(plan.provenance) if bundles.holds(plan.provenance) else None
    scenario = WhatIf(
        plan=plan,
        scene=record.scene,
        price_list=record.price_list,
        objective=objective,
        predictor=held,
    )
    is_listed = any(one.id == record.price_list.id for one in now.lists)  # its prices may have ended
    compared = [*now.lists] if is_listed else [*now.lists, record.price_list]
    choice, offers = scenario.choice, scenario.offers(compared)
    own = scenario.outcome(PlanArrays.of(plan).selected)
    figures = {
        "This plan": Figures.of(plan.cost, plan.billable_saving, plan.patches_bought, own),
        "Your choice": Figures.of(
            choice.cost, choice.decision.billable_saving, choice.patches, choice.outcome
        ),
    }
    return {
        "plan": plan,
        "taken_since": taken_since(plan, record.scene, now.bought),
        "choice": choice,
        "figures": figures,
        "aim": objective.aim(),
        "limits": _options(objective),
        "is_own": objective == objective_from_json(plan.objective),
        "offers": [
            OfferRow.of(one, is_own=one.price_list.id == record.price_list.id) for one in offers.lists
        ],
        "left_out": offers.left_out,
        "sliders": _sliders(record, scenario),
        "charts": None if held is None else charts_of(record, held, choice),
    }


def _options(objective: Objective) -> dict[str, Any]:
    """Return the options of a re-plan that ask for an objective; none for the plan's own."""
    if isinstance(objective, MaxCost):
        return {"max_cost": objective.limit.amount}
    if isinstance(objective, MaxPatches):
        return {"max_patches": objective.patches}
    return {}


def _sliders(record: PlanRecord, scenario: WhatIf) -> tuple[Slider, Slider]:
    """Return the ranges of money and of patches, from nothing to everything.

    A slider stands at the limit that was asked for, which the choice may not use up. It could otherwise not
    be moved on by keys. Without one it stands at the first step that pays for the choice.
    """
    plan, choice, aim = record.plan, scenario.choice, scenario.objective
    spent = aim.limit.minor if isinstance(aim, MaxCost) else choice.cost.minor
    bought = aim.patches if isinstance(aim, MaxPatches) else choice.patches
    step = max(1, round(plan.baseline_minor / STEPS))
    most = -(-max(plan.baseline_minor, choice.cost.minor) // step) * step
    at = min(most, -(-spent // step) * step)
    arrays = PlanArrays.of(plan)
    buyable = int((arrays.eligible[:, None] & ~arrays.taken).sum())
    amounts = (Money(minor, plan.currency).amount for minor in (most, step, at))
    return (
        Slider("budget", *amounts),
        Slider("patches", str(buyable), "1", str(min(bought, buyable))),
    )


def _refused(
    sent: SentForm, bundles: Bundles, record: PlanRecord, read_ground: GroundReader, refusal: LoupeError
) -> Response:
    """Show the comparison of the plan as it is, with the reason why nothing was saved."""
    now = read_now(sent.database, record, read_ground)
    values = page_values(record, bundles, objective_from_json(record.plan.objective), now)
    problem = problem_of(sent.request, refusal)
    return show(sent.request, sent.visitor, "what_if.html", status=refusal.status, problem=problem, **values)


def _saved(made: dict[str, Any]) -> str:
    """Say how a new plan differs from the one that it replaces."""
    changes = made["changes"]
    costs = changes["cost_before"], changes["cost_now"]
    before, now = (in_text(MoneyOut(**one)) for one in costs)
    return (
        f"This new plan replaces the one before: it adds {changes['added']} patches and drops "
        f"{changes['dropped']}. It costs {now}; the one before cost {before}."
    )
