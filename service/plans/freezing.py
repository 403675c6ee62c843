"""A decision written as the row that never changes."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import SQLColumnExpression, func

from service.bundles.predictor import Predictor
from service.planner.bounds import Bound
from service.planner.decision import Decision
from service.planner.objectives import Objective, objective_to_json
from service.plans.reading import MIN_VALID_SHARE
from service.plans.tables import Plan, Scene
from service.pricing.billing import Bill
from service.pricing.schemas import PriceListTerms
from service.pricing.tables import PriceList
from service.version import code_version


@dataclass(frozen=True, kw_only=True)
class Values:
    """What the policy said of T tiles, and how much of each was valid."""

    utilities: NDArray[np.float32]  # (T, 16); 0 where not eligible
    valid_share: NDArray[np.float32]  # (T,)


def freeze(
    values: Values,
    decision: Decision,
    objective: Objective,
    price_list: PriceList,
    scene: Scene,
    bundle: dict[str, Any],
    *,
    quote_days: int,
    supersedes: UUID | None = None,
) -> Plan:
    """Return the row of a plan, not yet stored; `bundle` says which networks judged.

    It may be ordered for `quote_days`, but no longer than its price list applies.
    """
    return Plan(
        expires_at=_expiry(price_list, quote_days),
        workspace_id=scene.workspace_id,
        scene_id=scene.id,
        price_list_id=price_list.id,
        supersedes=supersedes,
        objective=objective_to_json(objective),
        provenance=_provenance(price_list, scene, bundle),
        tiles=len(values.utilities),
        utilities=values.utilities.astype("<f4").tobytes(),
        selected=decision.selected.astype(np.uint8).tobytes(),
        filled=decision.filled.astype(np.uint8).tobytes(),
        valid_share=values.valid_share.astype("<f4").tobytes(),
        patches_bought=int(decision.selected.sum()),
        currency=price_list.currency,
        cost_minor=decision.bill.amount.minor,
        baseline_minor=decision.everything.amount.minor,
        list_saving_minor=decision.list_saving.minor,
        billable_saving_minor=decision.billable_saving.minor,
        bill=_bill(values, decision, price_list),
    )


def _expiry(price_list: PriceList, quote_days: int) -> SQLColumnExpression[datetime]:
    """A moment by the database's clock, computed when the row is written."""
    ends = func.now() + timedelta(days=quote_days)
    if price_list.valid_to is None:
        return ends
    after = datetime.combine(price_list.valid_to, time(), UTC) + timedelta(days=1)
    return func.least(ends, after)


def bundle_served(predictor: Predictor) -> dict[str, Any]:
    """Return what a plan keeps of the bundle that judged it."""
    manifest = predictor.manifest
    return {"name": manifest.name, "version": manifest.version, "sha256": predictor.sha256}


def _provenance(price_list: PriceList, scene: Scene, bundle: dict[str, Any]) -> dict[str, Any]:
    return {
        "bundle": bundle,
        "price_list": {
            "id": str(price_list.id),
            "name": price_list.name,
            "version": price_list.version,
            "example": price_list.example,
        },
        "input_sha256": scene.sha256,
        "code_version": code_version(),
    }


def _bill(values: Values, decision: Decision, price_list: PriceList) -> dict[str, Any]:
    terms = PriceListTerms.model_validate(price_list, from_attributes=True)
    return {
        "reason": decision.reason,
        "wanted": decision.wanted,
        "eligible_tiles": int((values.valid_share >= MIN_VALID_SHARE).sum()),
        "chosen": _bill_json(decision.bill),
        "everything": _bill_json(decision.everything),
        "bound": _bound_json(decision.bound),
        "terms": terms.model_dump(mode="json"),  # so that the row alone says what it costs
    }


def _bound_json(bound: Bound) -> dict[str, Any]:
    numbers = {"reached": bound.reached, "bound": bound.bound, "gap": bound.gap}
    return {"measure": bound.measure} | {name: round(number, 6) for name, number in numbers.items()}


def _bill_json(bill: Bill) -> dict[str, Any]:
    return {
        "area_km2": _plain(bill.area_km2),
        "billable_km2": _plain(bill.billable_km2),
        "lines": [
            {"area_km2": _plain(line.area_km2), "billable_km2": _plain(line.billable_km2)}
            for line in bill.lines
        ],
    }


def _plain(number: Decimal) -> str:
    """Without exponent or trailing zeros."""
    return f"{number.normalize():f}"
