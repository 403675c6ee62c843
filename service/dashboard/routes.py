"""Routes of the dashboard. Each view has a module of its own with its routes and the values of its pages."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from service.dashboard import (
    budget_export,
    budget_forms,
    budget_page,
    budgets,
    changes,
    csv_choice,
    curve_file,
    exports,
    ground_files,
    ground_map,
    jobs,
    ledger,
    ledger_invoices,
    ledger_orders,
    model_quality,
    monthly_report,
    new_plan,
    operations,
    order_export,
    order_files,
    order_labels,
    orders,
    overview,
    plan,
    plan_export,
    plan_list,
    plans,
    price_lists,
    signing,
    what_if,
    words_page,
)
from service.dashboard.rendering import read_asset
from service.dashboard.session import PATH

# The pages are for people, so the OpenAPI document leaves them out.
router = APIRouter(prefix=PATH, include_in_schema=False)
FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}


@router.get("/assets/{name}")
def asset(name: str, _version: Annotated[str | None, Query(alias="v", max_length=64)] = None) -> Response:
    """Send a style sheet or picture of this package. Its address ends in a version: see `asset_url`."""
    content, media_type = read_asset(name)
    return Response(content, media_type=media_type, headers=FOR_EVER)


for view in (
    signing,
    overview,
    changes,
    budgets,
    budget_forms,
    budget_page,
    orders,
    order_files,
    order_labels,
    plan_list,
    plans,
    new_plan,
    price_lists,
    plan,
    what_if,
    curve_file,
    jobs,
    model_quality,
    operations,
    ground_map,
    ground_files,
    ledger,
    ledger_invoices,
    ledger_orders,
    monthly_report,
    csv_choice,
    exports,
    order_export,
    plan_export,
    budget_export,
    words_page,
):
    router.routes.extend(view.router.routes)
