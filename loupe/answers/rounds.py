"""Ground that a plan does not buy again, and plans that follow an order."""

from decimal import Decimal

from loupe.answers.base import Money, Part
from loupe.answers.scenes import ObjectCount


class ReusedOrder(Part):
    """An order from which a plan takes ground."""

    order: str
    """Id of the order."""
    status: str
    """Status of the order when the plan was made."""
    owned: int
    """Number of the plan's patches that its delivered patches cover."""
    on_order: int
    """Number of the plan's patches that its awaited patches cover."""
    area_km2: Decimal
    """Area of the plan that it covers, in square kilometres."""
    paid: Money
    """Amount paid for the delivered patches, without refunds."""
    held: Money
    """Amount held for the awaited patches."""


class PlanReuse(Part):
    """The ground of the scene that the workspace owned or had on order when the plan was made."""

    mode: str
    """`owned`: these patches are not bought again. `none`: the plan was made without them."""
    owned: int
    """Number of patches that are owned: delivered patches cover 98 % of their area or more, finely enough for
    the bundle. Patches that were refunded in full are not owned.
    """
    on_order: int
    """Number of other patches that open orders await."""
    area_km2: Decimal
    """Area of these patches, in square kilometres."""
    orders: tuple[ReusedOrder, ...]
    """Orders that the patches come from, most patches first, at most 100."""
    spared: int
    """Number of these patches that the objective would buy otherwise."""
    saved: Money
    """Bill for the bought and the spared patches minus the cost.

    This figure is separate from `savings`: cost, `saved` and `savings.billable` sum to the baseline.
    """


class PlanPrior(Part):
    """The owned patches that were read before a new plan was made, and that changed what it expects."""

    patches: int
    """Number of patches that were read."""
    older: int
    """Number of these that were bought for another scene. They may be of an earlier date and weigh less."""
    objects: float
    """Number of objects that was read in them."""
    expected: float
    """Number that was expected in them from low resolution."""
    orders: tuple[str, ...]
    """Ids of the orders that delivered them."""


class RoundRead(Part):
    """The owned patches that were read before a plan of a later round was made."""

    patches: int
    """Number of patches that were read."""
    of_order: int
    """Number of these that the order before delivered."""
    objects: float
    """Number of objects that was read in them."""
    expected: float
    """Number that was expected in them from low resolution."""


class RoundRemainder(Part):
    """The patches of the scene that are neither owned nor on order."""

    patches: int
    """Number of patches."""
    expected_before: float
    """Number of objects that low resolution led to expect there."""
    objects: ObjectCount
    """Number that is expected there now. The interval takes the patches as independent."""


class RoundGain(Part):
    """The gain that is expected of patches, and their cost."""

    cost: Money
    """Cost of the patches, with fixed amounts and minimums."""
    patches: int
    """Number of patches that are bought."""
    objects: float
    """Expected number of objects in these patches."""
    correct_labels: float
    """Expected number of tiles whose label becomes correct, if patches are read without error."""
    variance: float
    """Variance of the counts of tiles that is removed."""
    each: Money | None = None
    """Cost of one unit of what the task pays for: an object (`find`), a correct label (`label`) or a unit of
    variance (`count`). None if nothing is gained.
    """


class PlanRound(Part):
    """A plan that was made after patches of an order had been delivered, and whether it is worth ordering."""

    order: str
    """Id of the order before."""
    number: int
    """Number of this round: 2 for the first plan that follows an order."""
    read: RoundRead
    """Patches that were read."""
    remainder: RoundRemainder
    """Patches that remain."""
    gain: RoundGain
    """Expected gain of this plan."""
    gain_before: RoundGain
    """Expected gain of the plan of the order before, when it was made, for the task of this plan."""
    same_money: RoundGain | None = None
    """Gain that the cost of this plan would have added in the order before: the patches that were the next
    most useful then, counted by what is known now, where fixed amounts and minimums are paid once. None if
    this plan buys nothing, and for plans created before it was computed.
    """
    separate: Money
    """How much less the patches of both plans would cost in one order, at the prices of this plan: fixed
    amounts and minimums that are paid twice.
    """
    worth_each: Money | None = None
    """Most that one unit is worth to the client: `worth_each` of the request."""
    most_each: Money | None = None
    """Most that one unit may cost to be worth it: `worth_each`, else what a `lambda` allows, else what the
    order before was ready to pay. That is the larger of two prices: its cost by what it was expected to
    gain; and the price of a patch when everything is bought, by the utility of the least useful patch that
    it asked for, or by the bundle's threshold if that is smaller. None if none of them is known.
    """
    worth_it: bool | None = None
    """Whether a unit of the gain costs at most `most_each`. None if that is not known."""
    verdict: str
    """The same in a sentence."""
