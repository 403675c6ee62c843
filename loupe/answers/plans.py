"""Plans: decisions, costs and savings."""

from datetime import datetime
from decimal import Decimal

from loupe.answers.base import Answer, Json, Link, Money, Part, WarningNote
from loupe.answers.rounds import PlanPrior, PlanReuse, PlanRound
from loupe.answers.scenes import ObjectCount, PlanObjects, PlanScene


class PlanGuarantee(Part):
    """The guarantee of a plan."""

    loss: str
    """`labels`: labels lost against buying every patch; `objects`: objects missed."""
    requested: float
    """Largest share that was asked for, from 0 to 1."""
    at_most: float
    """Share that is guaranteed: the nearest certified one up to it."""
    sure: float
    """Probability with which the guarantee holds."""
    sites: int
    """Number of sites that it was certified on."""
    mean_patches: float
    """Mean number of patches, of 16, bought per tile at those sites."""
    promise: str
    """Statement of what is guaranteed."""
    limits: str
    """Statement of what is not guaranteed."""


class PlanPatches(Part):
    """Patch counts of the tiles that can be planned."""

    bought: int
    """Number of patches that the plan buys."""
    filled: int
    """Number of bought patches that came free: they do not raise the bill."""
    total: int
    """Number of patches that could be bought."""


class PlanSaving(Money):
    """A saving and the baseline that it is measured against."""

    baseline: str
    """Cost that the saving is measured against."""


class PlanSavings(Part):
    """Savings of a plan: three figures that are never mixed."""

    list: PlanSaving
    """Baseline minus cost, minimums ignored. What reuse saves (`reuse.saved`) is not in it."""
    billable: PlanSaving
    """Baseline minus cost, minimums included.

    What reuse saves (`reuse.saved`) is not in it: `cost`, `reuse.saved` and this saving sum to the baseline.
    """


class PlanBound(Part):
    """Quality of the plan by its objective, beside a bound that no plan of the scene can pass."""

    measure: str
    """`utility`: the sum of the bought utilities, for max_cost and max_patches; `score`: that sum minus
    lambda times the bill, for lambda; `cost`: the bill (lower is better), for policy, target_accuracy and
    guarantee.
    """
    reached: float
    """Value that the plan reaches."""
    bound: float
    """Proven bound: no order that the price list allows is better."""
    gap: float
    """Difference between the two. 0 means that no plan is better."""


class PlanTile(Part):
    """Decision for one tile. Patch indices are column-major: row = index % 4, column = index // 4."""

    tile: int
    """Index of the tile: row * columns + column."""
    row: int
    """Row of the tile, counted from 0 in the north."""
    column: int
    """Column of the tile, counted from 0 in the west."""
    status: str
    """`no-data` if less than 90 % of the tile's area is valid: nothing is bought there."""
    valid_share: float
    """Share of the tile's area with valid pixels, 0 to 1."""
    cloud_share: float
    """Share of bright, colourless pixels, 0 to 1: a hint of clouds. Snow counts too."""
    buy: tuple[int, ...]
    """Indices of the patches to buy."""
    owned: tuple[int, ...]
    """Indices of the patches that were owned when the plan was made."""
    on_order: tuple[int, ...]
    """Indices of the patches that were on order at that time."""
    utilities: tuple[float, ...] | None = None
    """Utility of each of the 16 patches, by index. None if the tile is not planned."""
    objects: ObjectCount | None = None
    """Number of objects that the bundle expects in the tile, before any patch of the plan is bought; in a
    later round, with what was read before. None if the tile is not planned, or if the bundle counts
    nothing.
    """


class PlannedPatch(Part):
    """A patch of a scene."""

    tile: int
    """Index of the tile."""
    patch: int
    """Index of the patch in the tile, 0 to 15, column-major."""


class PlanChanges(Part):
    """Differences between a new plan and the one it supersedes."""

    added: int
    """Number of patches that only the new plan buys."""
    dropped: int
    """Number of patches that only the old plan bought."""
    kept: int
    """Number of patches that both plans buy."""
    cost_before: Money
    """Cost of the old plan."""
    cost_now: Money
    """Cost of the new plan."""
    added_patches: tuple[PlannedPatch, ...] | None = None
    """Patches that only the new plan buys. None if there are more than 1,000."""
    dropped_patches: tuple[PlannedPatch, ...] | None = None
    """Patches that only the old plan bought. None if there are more than 1,000."""


class PlanSummary(Answer):
    """A plan without its tiles."""

    id: str
    """Id of the plan."""
    name: str | None = None
    """Name that you gave to the plan. None without one."""
    external_id: str | None = None
    """Id of the plan in a system of yours. None without one."""
    tags: dict[str, str]
    """Your own names and values. An order of the plan gets them."""
    created_at: datetime
    """Time at which the plan was made."""
    expires_at: datetime
    """Time until which the prices hold and the plan can be ordered. Re-plan it afterwards."""
    supersedes: str | None = None
    """Id of the plan that this one replaces, if any."""
    follows: str | None = None
    """Id of the order whose delivered patches were read before this plan was made.

    None for a plan that is the first of its scene.
    """
    scene: PlanScene
    """Scene that was planned."""
    task: str
    """Purpose of the plan: `label`: correct labels of tiles; `count`: correct counts of objects in tiles;
    `find`: objects in bought patches.
    """
    utility_unit: str
    """Unit of the utilities and thresholds of the plan."""
    objects: PlanObjects | None = None
    """Objects that the plan finds. None if the bundle counts nothing."""
    licence: str | None = None
    """Licence of the bundle's training data, which binds the plan and its labels too.

    None if the bundle states none.
    """
    objective: Json
    """Objective and its number."""
    guarantee: PlanGuarantee | None = None
    """Statement of what the plan guarantees. None for other objectives than `guarantee`."""
    decision: str
    """Summary of the decision and its reason."""
    patches: PlanPatches
    """Number of patches, bought and in all."""
    cost: Money
    """Bill for the whole order, rounded once."""
    baseline: Money
    """Cost of buying everything: the provider's bill for every patch of the scene, from the same price list.
    """
    area_km2: Decimal
    """Area of the bought patches on the ellipsoid, in square kilometres."""
    billable_km2: Decimal
    """Area that is billed, minimum areas included, in square kilometres."""
    savings: PlanSavings
    """Savings against the baseline."""
    reuse: PlanReuse | None = None
    """Ground that is owned or on order, and what it saves.

    None for plans created before ground was reused.
    """
    bound: PlanBound | None = None
    """Bound on the objective. None for plans created before bounds were computed."""
    prior: PlanPrior | None = None
    """Owned patches that were read before the plan was made and that changed what it expects.

    None if there is none, or if the bundle has no second look; a later round says it in `round`.
    """
    round: PlanRound | None = None
    """Patches read from the order before, and whether another order is worth it.

    None unless the plan was made with `Client.next_round`.
    """
    warnings: tuple[WarningNote, ...]
    """Doubts about how the scene was read or about what can be bought. Empty if there is none."""
    provenance: Json
    """Bundle, price list, SHA-256 of the input and version of the code."""
    links: tuple[Link, ...]
    """Links to the plan's views and to what can be done with it."""


class Plan(PlanSummary):
    """A plan: what to buy of every tile, what it costs, and what that saves."""

    tiles: tuple[PlanTile, ...] | None = None
    """Decision for each tile, row by row.

    None for a plan of more than 4,096 tiles: `Client.patches` yields them.
    """


class Replan(Plan):
    """A plan that supersedes another one, and its changes."""

    changes: PlanChanges
    """Differences from the superseded plan."""
