"""Options of a later round."""

from typing import Any

from pydantic import Field

from models.tasks import Task
from service.plans.objective_options import ObjectiveOptions
from service.plans.options import ReplanIn
from service.plans.tasks import TASKS
from service.web.values import AmountText, SearchText


class NextRoundIn(ObjectiveOptions):
    """Options of the next plan; omitted options are as in the order's plan."""

    price_list: SearchText | None = Field(
        None,
        max_length=64,
        description="Price list: its id, or its name for the newest version that is valid today. "
        "By default the newest version of the plan's own price list.",
    )
    task: Task | None = Field(None, description=f"Purpose of the plan: {TASKS}. By default as in the plan.")
    worth_each: AmountText | None = Field(
        None,
        examples=["40.00"],
        description="Most that one unit of what the task pays for is worth to you, such as one object found, "
        "in the currency of the price list. It decides `worth_it` and changes nothing about the plan. By "
        "default what the objective `lambda` says, else what the order before was ready to pay for one.",
    )

    def as_replan(self) -> ReplanIn:
        """Return the options that a re-plan has, too; what was bought is never bought again."""
        given: dict[str, Any] = self.model_dump(by_alias=True, exclude_unset=True, exclude={"worth_each"})
        return ReplanIn.model_validate(given | {"reuse": "owned"})
