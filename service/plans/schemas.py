"""Plans as JSON."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from models.grid import PATCHES
from service.planner.bounds import Measure
from service.plans.arrays import PlanArrays
from service.plans.tables import Plan, Scene
from service.web.paging import Link, MoneyOut

TILES_INLINE = 4096
"""A plan of more tiles gives a link to them instead."""

PATCHES_INLINE = 1000
"""Of more patches that change, the number alone is given."""

LIST_BASELINE = "the area of every patch of the scene at the list price, minimums ignored"
BILL_BASELINE = "the provider's bill for every patch of the scene, from the same price list"


class SceneOut(BaseModel):
    """What was understood of the upload."""

    sha256: str
    columns: int = Field(description="tiles from west to east")
    rows: int = Field(description="tiles from north to south")
    tile_m: float = Field(description="width of a tile by the bundle, metres")
    gsd_m: tuple[float, float] = Field(description="pixel of the upload on the ground, metres, at its centre")
    crs: str
    bands: list[int] = Field(description="red, green and blue, counted from 1")
    bands_from: str
    radiometry: str
    planned_km2: float
    left_out_km2: float = Field(description="the margin that fills no tile")
    tiles_without_data: int = Field(description="tiles with less than 90 % valid area; they are not planned")

    @classmethod
    def of(cls, scene: Scene, plan: Plan) -> "SceneOut":
        """Write a stored scene as one of its plans saw it."""
        reading, grid = scene.reading, scene.reading["grid"]
        same = ("tile_m", "gsd_m", "bands", "bands_from", "radiometry", "planned_km2", "left_out_km2")
        return cls(
            sha256=scene.sha256,
            columns=grid["columns"],
            rows=grid["rows"],
            crs=grid["crs"],
            tiles_without_data=plan.tiles - plan.bill["eligible_tiles"],
            **{name: reading[name] for name in same},
        )


class PatchCount(BaseModel):
    """How many patches of the tiles that can be planned."""

    bought: int
    filled: int = Field(description="of those bought, the ones that came free")
    total: int


class SavingOut(MoneyOut):
    """A saving with what it is measured against."""

    baseline: str


class SavingsOut(BaseModel):
    """Three figures, never mixed."""

    list: SavingOut = Field(description="baseline minus cost, minimums ignored")
    billable: SavingOut = Field(description="baseline minus cost, minimums included")
    realised: None = Field(None, description="known once the order is settled: see /v1/reports/savings")

    @classmethod
    def of(cls, plan: Plan) -> "SavingsOut":
        """Write a plan's savings."""
        listed = MoneyOut.minor(plan.list_saving_minor, plan.currency).model_dump()
        billable = MoneyOut.minor(plan.billable_saving_minor, plan.currency).model_dump()
        return cls(
            list=SavingOut(**listed, baseline=LIST_BASELINE),
            billable=SavingOut(**billable, baseline=BILL_BASELINE),
        )


class BoundOut(BaseModel):
    """How good the plan is by its objective, beside what no plan of the scene can surpass."""

    measure: Measure = Field(
        description="`utility`: the sum bought, for max_cost and max_patches; `score`: that minus lambda "
        "times the bill; `cost`: the bill, of which less is better, for policy and target_accuracy"
    )
    reached: float
    bound: float = Field(description="proven: no order that the price list allows is better")
    gap: float = Field(description="between the two; 0: the plan is the best there is")


class TileOut(BaseModel):
    """One tile's decision. Patch indices are column-major: row = index % 4, column = index // 4."""

    tile: int
    row: int
    column: int
    status: Literal["planned", "no-data"]
    valid_share: float
    cloud_share: float = Field(description="a hint: bright, colourless pixels; snow counts too")
    buy: list[int]
    utilities: list[float] | None = Field(description="16, by patch index; null where nothing was planned")


class PlanSummary(BaseModel):
    """A plan without its tiles."""

    id: UUID
    created_at: datetime
    expires_at: datetime = Field(description="the prices are a quote until then; afterwards: replan")
    supersedes: UUID | None = Field(description="the plan in whose place this one is")
    scene: SceneOut
    objective: dict[str, Any] = Field(examples=[{"kind": "policy", "threshold": 0.5}])
    decision: str = Field(
        examples=["Buys 37 of 320 patches: utility of at least 0.5."], description="in words"
    )
    patches: PatchCount
    cost: MoneyOut = Field(description="the whole order's bill, rounded once")
    baseline: MoneyOut = Field(description=f"what everything would cost: {BILL_BASELINE}")
    area_km2: str = Field(description="of the bought patches, on the ellipsoid")
    billable_km2: str = Field(description="what the bill counts, minimum areas included")
    savings: SavingsOut
    bound: BoundOut | None = Field(description="null in plans of a version that did not reckon it")
    provenance: dict[str, Any] = Field(
        description="bundle, price list, sha256 of the input, version of the code"
    )
    links: list[Link]

    @classmethod
    def fields_of(cls, plan: Plan, scene: Scene) -> dict[str, Any]:
        """Return the fields that a summary and a whole plan share."""
        bought = plan.patches_bought
        return {
            "id": plan.id,
            "created_at": plan.created_at,
            "expires_at": plan.expires_at,
            "supersedes": plan.supersedes,
            "scene": SceneOut.of(scene, plan),
            "objective": plan.objective,
            "decision": plan.bill["reason"],
            "patches": PatchCount(
                bought=bought,
                filled=bought - plan.bill["wanted"],
                total=plan.bill["eligible_tiles"] * PATCHES,
            ),
            "cost": MoneyOut.minor(plan.cost_minor, plan.currency),
            "baseline": MoneyOut.minor(plan.baseline_minor, plan.currency),
            "area_km2": plan.bill["chosen"]["area_km2"],
            "billable_km2": plan.bill["chosen"]["billable_km2"],
            "savings": SavingsOut.of(plan),
            "bound": plan.bill.get("bound"),
            "provenance": plan.provenance,
            "links": plan_links(plan),
        }

    @classmethod
    def summarise(cls, plan: Plan, scene: Scene) -> "PlanSummary":
        """Write a stored plan for a list."""
        return PlanSummary(**cls.fields_of(plan, scene))


class PlanOut(PlanSummary):
    """A plan: what to buy of every tile, what it costs, and what that saves."""

    tiles: list[TileOut] | None = Field(
        description=f"row by row; null beyond {TILES_INLINE} tiles, where the link `patches` has them"
    )

    @classmethod
    def of(cls, plan: Plan, scene: Scene) -> "PlanOut":
        """Write a stored plan."""
        tiles = tiles_of(plan, scene) if plan.tiles <= TILES_INLINE else None
        return cls(**cls.fields_of(plan, scene), tiles=tiles)


class Place(BaseModel):
    """One patch of a scene."""

    tile: int
    patch: int


class ChangesOut(BaseModel):
    """What a new plan does otherwise than the one it supersedes."""

    added: int = Field(description="patches bought now and not before")
    dropped: int = Field(description="patches bought before and not now")
    kept: int
    cost_before: MoneyOut
    cost_now: MoneyOut
    added_patches: list[Place] | None = Field(description=f"null beyond {PATCHES_INLINE}")
    dropped_patches: list[Place] | None = Field(description=f"null beyond {PATCHES_INLINE}")

    @classmethod
    def between(cls, old: Plan, new: Plan) -> "ChangesOut":
        """Compare two plans of one scene."""
        before, now = PlanArrays.of(old).selected, PlanArrays.of(new).selected
        added, dropped = now & ~before, before & ~now
        return cls(
            added=int(added.sum()),
            dropped=int(dropped.sum()),
            kept=int((now & before).sum()),
            cost_before=MoneyOut.minor(old.cost_minor, old.currency),
            cost_now=MoneyOut.minor(new.cost_minor, new.currency),
            added_patches=_places(added),
            dropped_patches=_places(dropped),
        )


def _places(patches: NDArray[np.bool_]) -> list[Place] | None:
    if patches.sum() > PATCHES_INLINE:
        return None
    return [Place(tile=int(tile), patch=int(patch)) for tile, patch in np.argwhere(patches)]


class ReplanOut(PlanOut):
    """A plan in the place of another, and what it changes."""

    changes: ChangesOut


def plan_links(plan: Plan) -> list[Link]:
    """Return where a plan's views are, and where to go on."""
    path = f"/v1/plans/{plan.id}"
    superseded = [Link(rel="supersedes", href=f"/v1/plans/{plan.supersedes}")] if plan.supersedes else []
    return [
        Link(rel="self", href=path),
        *superseded,
        Link(rel="patches", href=f"{path}/patches", type="application/geo+json"),
        Link(rel="shapes", href=f"{path}/shapes", type="application/geo+json"),
        Link(rel="bill", href=f"{path}/bill", type="application/json"),
        Link(rel="scene", href=f"{path}/scene.tif", type="image/tiff"),
        Link(rel="curve", href=f"{path}/curve", type="application/json"),
        Link(rel="preview", href=f"{path}/preview.png", type="image/png"),
        Link(rel="price-list", href=f"/v1/price-lists/{plan.price_list_id}"),
        Link(rel="replan", href=f"{path}/replan", title="POST other prices or another objective"),
        Link(rel="create-order", href="/v1/orders", title=f'POST {{"plan": "{plan.id}"}}'),
    ]


def tiles_of(plan: Plan, scene: Scene) -> list[TileOut]:
    """Write every tile of a plan, row by row."""
    arrays = PlanArrays.of(plan)
    columns = scene.reading["grid"]["columns"]
    eligible = arrays.eligible.tolist()
    return [
        TileOut(
            tile=tile,
            row=tile // columns,
            column=tile % columns,
            status="planned" if eligible[tile] else "no-data",
            valid_share=round(float(arrays.valid_share[tile]), 4),
            cloud_share=scene.reading["cloud_share"][tile],
            buy=np.flatnonzero(arrays.selected[tile]).tolist(),
            utilities=[arrays.shown_utility(tile, patch) for patch in range(PATCHES)]
            if eligible[tile]
            else None,
        )
        for tile in range(plan.tiles)
    ]
