"""Columns of files beside the members of the same rows as JSON: a file leaves nothing out unsaid."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel

from service.app import create_app
from service.dashboard.budget_export import BUDGET_COLUMNS
from service.dashboard.ledger_orders import ORDER_SUM_COLUMNS, OrderSums
from service.dashboard.order_export import ORDER_COLUMNS
from service.dashboard.plan_export import PLAN_COLUMNS
from service.invoices.schemas import DIFFERENCE_COLUMNS, Difference
from service.ledger.close_schemas import CLOSE_COLUMNS, CloseOut
from service.ledger.lines import COLUMNS, LedgerLineOut
from service.ledger.schemas import BudgetOut
from service.orders.schemas import OrderSummary
from service.plans.schemas import PlanSummary
from service.reports.schemas import SAVINGS_COLUMNS, OrderSavings
from service.reports.spend import SPEND_COLUMNS, Charge
from service.truth.schemas import TRUTH_COLUMNS, TrueLabelOut
from service.web.parameters import query_names
from service.web.tabular import Columns
from tests.support.bundles import make_settings


@dataclass(frozen=True)
class File:
    """A list that comes as JSON and as a file."""

    items: type[BaseModel]
    columns: Columns
    named: Mapping[str, str] = field(default_factory=dict)
    """Columns of members that have other names in the file, joined by blanks."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Members that have no column, each with where a reader of the file finds them."""


LEDGER = File(
    LedgerLineOut,
    COLUMNS,
    named={"from_account": "from", "to_account": "to"},
    left_out={
        "from_account_id": "the account `from` of the budget in `budget_id`",
        "to_account_id": "the account `to` of the budget in `budget_id`",
        "workspace_id": "the workspace of the key that asked for the file",
    },
)
PLANS = File(
    PlanSummary,
    PLAN_COLUMNS,
    named={
        "patches": "patches patches_bought patches_filled",
        "savings": "list_saving billable_saving",
        "reuse": "reuse_saving",
        "scene": "input_sha256 acquired_on",
        "objects": "objects expected_objects expected_in_bought share_in_bought",
        "provenance": "bundle price_list price_list_version input_sha256",
    },
    left_out=dict.fromkeys(("guarantee", "bound", "prior", "round"), "the page of the plan in `id`"),
)
ORDERS = File(
    OrderSummary,
    ORDER_COLUMNS,
    named={
        "created_at": "placed_at",
        "expires_at": "due_at",
        "budget": "budget budget_id",
        "amounts": "currency amount held settled released refunded charged net",
        "counts": "patches delivered awaited",
    },
)
SAVINGS = File(
    OrderSavings,
    SAVINGS_COLUMNS,
    named={
        "savings": "realised_saving ordered_saving held_saving billable_saving list_saving reused_saving "
        "example_saving",
        "net": "settled",
        "proven_labels": "known_tiles right_labels lr_right_labels",
    },
)
CLOSES = File(
    CloseOut,
    CLOSE_COLUMNS,
    named={
        "budgets": "budget_id budget opening_granted opening_available opening_held opening_spent "
        "closing_granted closing_available closing_held closing_spent"
    },
)
DIFFERENCES, SPEND = File(Difference, DIFFERENCE_COLUMNS), File(Charge, SPEND_COLUMNS)
FILES = {
    "/v1/ledger": LEDGER,
    "/v1/ledger/closes": CLOSES,
    "/v1/invoices/differences": DIFFERENCES,
    "/v1/reports/savings": SAVINGS,
    "/v1/reports/spend": SPEND,
    "/v1/orders/{order_id}/truth": File(TrueLabelOut, TRUTH_COLUMNS),
    "/dashboard/ledger.{form}": LEDGER,
    "/dashboard/ledger/differences.{kind}": DIFFERENCES,
    "/dashboard/ledger/orders.{form}": File(OrderSums, ORDER_SUM_COLUMNS),
    "/dashboard/savings.{kind}": SAVINGS,
    "/dashboard/budgets.{kind}": File(
        BudgetOut, BUDGET_COLUMNS, named={"waiting_number": "waiting", "limit": "limit currency"}
    ),
    "/dashboard/plans.{kind}": PLANS,
    "/dashboard/orders.{kind}": ORDERS,
}
"""Every list that comes as JSON and as a file."""
AS_GEOJSON = {"/dashboard/map.{kind}"}
"""Files of which the other form has features with the columns as properties."""


def paths_of_files() -> Iterator[str]:
    """Yield the path of every route that answers with rows as JSON or as a file."""
    for route in iter_route_contexts(create_app(make_settings(Path("/nowhere"))).routes):
        assert isinstance(route.original_route, APIRoute)
        assert route.path is not None
        if "format" in query_names(route.original_route) or route.path.endswith((".{kind}", ".{form}")):
            yield route.path


def test_every_list_that_is_a_file_too_is_compared() -> None:
    assert sorted(paths_of_files()) == sorted(FILES.keys() | AS_GEOJSON)


@pytest.mark.parametrize("path", FILES)
def test_file_has_a_column_for_every_member(path: str) -> None:
    one = FILES[path]
    members = one.items.model_fields.keys() - {"links"}

    missing = members - one.columns.keys() - one.named.keys() - one.left_out.keys()
    assert missing == set()
    assert {name for names in one.named.values() for name in names.split()} <= one.columns.keys()
    assert (one.named.keys() | one.left_out.keys()) <= members
    assert not one.left_out.keys() & one.columns.keys()


@pytest.mark.parametrize("columns", [PLAN_COLUMNS, ORDER_COLUMNS, BUDGET_COLUMNS])
def test_names_and_tags_have_columns(columns: Columns) -> None:
    """A reader looks for an order by them, so a file without them is of no use."""
    assert columns["tags"] == "tags"
    assert columns["name"] == "text"
