"""A later round as JSON: what was read of the order before, what remains, and what another order is worth."""

from uuid import UUID

from pydantic import BaseModel, Field

from service.plans.objects import ObjectCount
from service.web.money import MoneyOut


class RoundRead(BaseModel):
    """The owned patches that were read before a plan of a later round was made."""

    patches: int = Field(description="Number of patches that were read.")
    of_order: int = Field(description="Number of these that the order before delivered.")
    objects: float = Field(description="Number of objects that was read in them.")
    expected: float = Field(description="Number that was expected in them from low resolution.")


class RoundRemainder(BaseModel):
    """The patches of the scene that are neither owned nor on order."""

    patches: int = Field(description="Number of patches.")
    expected_before: float = Field(description="Number of objects that low resolution led to expect there.")
    objects: ObjectCount = Field(
        description="Number that is expected there now. The interval takes the patches as independent."
    )


class RoundGain(BaseModel):
    """The gain that is expected of patches, and their cost."""

    cost: MoneyOut = Field(description="Cost of the patches, with fixed amounts and minimums.")
    patches: int = Field(description="Number of patches that are bought.")
    objects: float = Field(description="Expected number of objects in these patches.")
    correct_labels: float = Field(
        description="Expected number of tiles whose label becomes correct, if patches are read without error."
    )
    variance: float = Field(description="Variance of the counts of tiles that is removed.")
    each: MoneyOut | None = Field(
        description="Cost of one unit of what the task pays for: an object (`find`), a correct label "
        "(`label`) or a unit of variance (`count`). Null if nothing is gained."
    )


class PlanRound(BaseModel):
    """A plan that was made after patches of an order had been delivered, and whether it is worth ordering."""

    order: UUID = Field(description="Id of the order before.")
    number: int = Field(description="Number of this round: 2 for the first plan that follows an order.")
    read: RoundRead = Field(description="Patches that were read.")
    remainder: RoundRemainder = Field(description="Patches that remain.")
    gain: RoundGain = Field(description="Expected gain of this plan.")
    gain_before: RoundGain = Field(
        description="Expected gain of the plan of the order before, when it was made, for the task of this "
        "plan."
    )
    same_money: RoundGain | None = Field(
        None,
        description="Gain that the cost of this plan would have added in the order before: the patches that "
        "were the next most useful then, counted by what is known now, where fixed amounts and minimums are "
        "paid once. Null if this plan buys nothing, and for plans created before it was computed.",
    )
    separate: MoneyOut = Field(
        description="How much less the patches of both plans would cost in one order, at the prices of this "
        "plan: fixed amounts and minimums that are paid twice."
    )
    worth_each: MoneyOut | None = Field(
        None, description="Most that one unit is worth to the client: `worth_each` of the request."
    )
    most_each: MoneyOut | None = Field(
        description="Most that one unit may cost to be worth it: `worth_each`, else what a `lambda` allows, "
        "else what the order before was ready to pay. That is the larger of two prices: its cost by what it "
        "was expected to gain; and the price of a patch when everything is bought, by the utility of the "
        "least useful patch that it asked for, or by the bundle's threshold if that is smaller. Null if none "
        "of them is known."
    )
    worth_it: bool | None = Field(
        description="Whether a unit of the gain costs at most `most_each`. Null if that is not known."
    )
    verdict: str = Field(description="The same in a sentence.")
