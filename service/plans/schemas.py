"""Plans as JSON documents."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from models.grid import PATCHES
from models.tasks import Task
from service.planner.bounds import Measure
from service.planner.objectives import objective_from_json
from service.plans.bills import BILL_BASELINE, PlanSavings
from service.plans.ground import ReuseMode
from service.plans.guarantees import PlanGuarantee
from service.plans.naming import tags_of_plan
from service.plans.objects import PlanObjects
from service.plans.prior import PlanPrior
from service.plans.reuse import ORDERS_NAMED
from service.plans.rounds import PlanRound
from service.plans.tables import Plan, Scene
from service.plans.tasks import CLASSIFIED, TASKS, UNITS
from service.plans.tiles import PlanTile, tiles_of
from service.web.money import MoneyOut
from service.web.paging import Link
from service.web.warnings import WarningOut

TILES_INLINE = 4096
"""Most tiles that a plan lists itself; a larger plan links to them."""


class PlanScene(BaseModel):
    """The uploaded scene as it was read."""

    sha256: str = Field(description="SHA-256 of the uploaded file.")
    columns: int = Field(description="Number of tiles from west to east.")
    rows: int = Field(description="Number of tiles from north to south.")
    tile_m: float = Field(description="Side of a tile of the bundle, in metres.")
    gsd_m: tuple[float, float] = Field(
        description="Pixel size of the upload on the ground, in metres: along rows and down columns, "
        "measured at its centre."
    )
    crs: str = Field(description="Coordinate reference system of the upload.", examples=["EPSG:32632"])
    bands: list[int] = Field(description="Numbers of the red, green and blue bands, counted from 1.")
    bands_from: str = Field(description="How the bands were found.")
    radiometry: str = Field(description="How pixel values became colours.")
    acquired_on: date | None = Field(
        None,
        description="Day of acquisition that the file's metadata state, such as `ACQUISITION_DATE`. Scenes "
        "of one ground from different days are different acquisitions: each has a baseline of its own.",
    )
    planned_km2: float = Field(description="Area of all tiles, in square kilometres.")
    left_out_km2: float = Field(
        description="Area at the right and bottom edges that fills no tile, in square kilometres."
    )
    tiles_without_data: int = Field(
        description="Number of tiles with less than 90 % valid area. They are not planned."
    )

    @classmethod
    def of(cls, scene: Scene, plan: Plan) -> "PlanScene":
        """Write a stored scene together with the counts of one of its plans."""
        reading, grid = scene.reading, scene.reading["grid"]
        same = ("tile_m", "gsd_m", "bands", "bands_from", "radiometry", "planned_km2", "left_out_km2")
        return cls(
            sha256=scene.sha256,
            columns=grid["columns"],
            rows=grid["rows"],
            crs=grid["crs"],
            acquired_on=reading.get("acquired_on"),
            tiles_without_data=plan.tiles - plan.bill["eligible_tiles"],
            **{name: reading[name] for name in same},
        )


class PlanPatches(BaseModel):
    """Patch counts of the tiles that can be planned."""

    bought: int = Field(description="Number of patches that the plan buys.")
    filled: int = Field(description="Number of bought patches that came free: they do not raise the bill.")
    total: int = Field(description="Number of patches that could be bought.")


class ReusedOrder(BaseModel):
    """An order from which a plan takes ground."""

    order: UUID = Field(description="Id of the order.")
    status: str = Field(description="Status of the order when the plan was made.")
    owned: int = Field(description="Number of the plan's patches that its delivered patches cover.")
    on_order: int = Field(description="Number of the plan's patches that its awaited patches cover.")
    area_km2: str = Field(description="Area of the plan that it covers, in square kilometres.")
    paid: MoneyOut = Field(description="Amount paid for the delivered patches, without refunds.")
    held: MoneyOut = Field(description="Amount held for the awaited patches.")


class PlanReuse(BaseModel):
    """The ground of the scene that the workspace owned or had on order when the plan was made."""

    mode: ReuseMode = Field(
        description="`owned`: these patches are not bought again. `none`: the plan was made without them."
    )
    owned: int = Field(
        description="Number of patches that are owned: delivered patches cover 98 % of their area or more, "
        "finely enough for the bundle. Patches that were refunded in full are not owned."
    )
    on_order: int = Field(description="Number of other patches that open orders await.")
    area_km2: str = Field(description="Area of these patches, in square kilometres.")
    orders: list[ReusedOrder] = Field(
        description=f"Orders that the patches come from, most patches first, at most {ORDERS_NAMED}."
    )
    spared: int = Field(description="Number of these patches that the objective would buy otherwise.")
    saved: MoneyOut = Field(
        description="Bill for the bought and the spared patches minus the cost. This figure is separate from "
        "`savings`: cost, `saved` and `savings.billable` sum to the baseline."
    )


class PlanBound(BaseModel):
    """Quality of the plan by its objective, beside a bound that no plan of the scene can pass."""

    measure: Measure = Field(
        description="`utility`: the sum of the bought utilities, for max_cost and max_patches; `score`: that "
        "sum minus lambda times the bill, for lambda; `cost`: the bill (lower is better), for policy, "
        "target_accuracy and guarantee."
    )
    reached: float = Field(description="Value that the plan reaches.")
    bound: float = Field(description="Proven bound: no order that the price list allows is better.")
    gap: float = Field(description="Difference between the two. 0 means that no plan is better.")


class PlanSummary(BaseModel):
    """A plan without its tiles."""

    id: UUID = Field(description="Id of the plan.")
    name: str | None = Field(description="Name that you gave to the plan. Null without one.")
    external_id: str | None = Field(description="Id of the plan in a system of yours. Null without one.")
    tags: dict[str, str] = Field(description="Your own names and values. An order of the plan gets them.")
    created_at: datetime = Field(description="Time at which the plan was made.")
    expires_at: datetime = Field(
        description="Time until which the prices hold and the plan can be ordered. Re-plan it afterwards."
    )
    supersedes: UUID | None = Field(description="Id of the plan that this one replaces, if any.")
    follows: UUID | None = Field(
        description="Id of the order whose delivered patches were read before this plan was made. Null for a "
        "plan that is the first of its scene."
    )
    scene: PlanScene = Field(description="Scene that was planned.")
    task: Task = Field(description=f"Purpose of the plan: {TASKS}.")
    utility_unit: str = Field(
        description="Unit of the utilities and thresholds of the plan.", examples=list(UNITS.values())
    )
    objects: PlanObjects | None = Field(
        description="Objects that the plan finds. Null if the bundle counts nothing."
    )
    licence: str | None = Field(
        description="Licence of the bundle's training data, which binds the plan and its labels too. Null if "
        "the bundle states none."
    )
    objective: dict[str, Any] = Field(
        description="Objective and its number.", examples=[{"kind": "policy", "threshold": 0.5}]
    )
    guarantee: PlanGuarantee | None = Field(
        description="Statement of what the plan guarantees. Null for other objectives than `guarantee`."
    )
    decision: str = Field(
        examples=["Buys 37 of 320 patches: utility of at least 0.5."],
        description="Summary of the decision and its reason.",
    )
    patches: PlanPatches = Field(description="Number of patches, bought and in all.")
    cost: MoneyOut = Field(description="Bill for the whole order, rounded once.")
    baseline: MoneyOut = Field(description=f"Cost of buying everything: {BILL_BASELINE}.")
    area_km2: str = Field(description="Area of the bought patches on the ellipsoid, in square kilometres.")
    billable_km2: str = Field(
        description="Area that is billed, minimum areas included, in square kilometres."
    )
    savings: PlanSavings = Field(description="Savings against the baseline.")
    reuse: PlanReuse | None = Field(
        description="Ground that is owned or on order, and what it saves. Null for plans created before "
        "ground was reused."
    )
    bound: PlanBound | None = Field(
        description="Bound on the objective. Null for plans created before bounds were computed."
    )
    prior: PlanPrior | None = Field(
        description="Owned patches that were read before the plan was made and that changed what it expects. "
        "Null if there is none, or if the bundle has no second look; a later round says it in `round`."
    )
    round: PlanRound | None = Field(
        description="Patches read from the order before, and whether another order is worth it. Null unless "
        "the plan was made with `POST /v1/orders/{order_id}/next-round`."
    )
    warnings: list[WarningOut] = Field(
        description="Doubts about how the scene was read or about what can be bought. Empty if there is none."
    )
    provenance: dict[str, Any] = Field(
        description="Bundle, price list, SHA-256 of the input and version of the code."
    )
    links: list[Link] = Field(description="Links to the plan's views and to what can be done with it.")

    @classmethod
    def fields_of(cls, plan: Plan, scene: Scene) -> dict[str, Any]:
        """Return the fields that a summary and a whole plan share."""
        bought = plan.patches_bought
        return {
            "id": plan.id,
            "name": plan.naming and plan.naming.name,
            "external_id": plan.naming and plan.naming.external_id,
            "tags": tags_of_plan(plan),
            "created_at": plan.created_at,
            "expires_at": plan.expires_at,
            "supersedes": plan.supersedes,
            "follows": plan.follows,
            "scene": PlanScene.of(scene, plan),
            "task": plan.task,
            "utility_unit": UNITS[plan.task] if "objects" in plan.bill else CLASSIFIED,
            "objects": plan.bill.get("objects"),
            "licence": plan.provenance["bundle"].get("licence"),
            "objective": plan.objective,
            "guarantee": _guarantee(plan),
            "decision": plan.bill["reason"],
            "patches": PlanPatches(
                bought=bought,
                filled=bought - plan.bill["wanted"],
                total=plan.bill["eligible_tiles"] * PATCHES,
            ),
            "cost": MoneyOut.of(plan.cost),
            "baseline": MoneyOut.of(plan.baseline),
            "area_km2": plan.bill["chosen"]["area_km2"],
            "billable_km2": plan.bill["chosen"]["billable_km2"],
            "savings": PlanSavings.of(plan),
            "reuse": plan.reuse,
            "bound": plan.bill.get("bound"),
            "prior": plan.bill.get("prior"),
            "round": plan.bill.get("round"),
            # Absent in scenes read and plans made before 0.3.0.
            "warnings": [*scene.reading.get("warnings", []), *plan.bill.get("warnings", [])],
            "provenance": plan.provenance,
            "links": plan_links(plan),
        }

    @classmethod
    def summarise(cls, plan: Plan, scene: Scene) -> "PlanSummary":
        """Write a stored plan for a list."""
        return PlanSummary(**cls.fields_of(plan, scene))


class PlanOut(PlanSummary):
    """A plan: what to buy of every tile, what it costs, and what that saves."""

    tiles: list[PlanTile] | None = Field(
        description=f"Decision for each tile, row by row. Null for a plan of more than {TILES_INLINE:,} "
        "tiles: follow the link `patches`."
    )

    @classmethod
    def of(cls, plan: Plan, scene: Scene) -> "PlanOut":
        """Write a stored plan."""
        tiles = tiles_of(plan, scene) if plan.tiles <= TILES_INLINE else None
        return cls(**cls.fields_of(plan, scene), tiles=tiles)


def _guarantee(plan: Plan) -> PlanGuarantee | None:
    objects = plan.bill["objects"]["name"] if "objects" in plan.bill else "objects"
    return PlanGuarantee.of(objective_from_json(plan.objective), objects)


def plan_links(plan: Plan) -> list[Link]:
    """Return links to a plan's views and to what can be done with it."""
    path = f"/v1/plans/{plan.id}"
    before = [Link(rel="supersedes", href=f"/v1/plans/{plan.supersedes}")] if plan.supersedes else []
    if plan.follows:
        before.append(Link(rel="follows", href=f"/v1/orders/{plan.follows}"))
    return [
        Link(rel="self", href=path),
        *before,
        Link(rel="patches", href=f"{path}/patches", type="application/geo+json"),
        Link(rel="shapes", href=f"{path}/shapes", type="application/geo+json"),
        Link(rel="bill", href=f"{path}/bill", type="application/json"),
        Link(rel="scene", href=f"{path}/scene.tif", type="image/tiff"),
        Link(rel="curve", href=f"{path}/curve", type="application/json"),
        Link(rel="preview", href=f"{path}/preview.png", type="image/png"),
        Link(rel="price-list", href=f"/v1/price-lists/{plan.price_list_id}"),
        Link(rel="replan", href=f"{path}/replan", title="POST another price list or objective"),
        Link(rel="create-order", href="/v1/orders", title=f'POST {{"plan": "{plan.id}"}}'),
    ]
