"""Orders over HTTP."""

from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy.orm import Session

from service.access.caller import CallerDep
from service.access.repository import Caller
from service.bundles.registry import Bundles, BundlesDep
from service.database.engine import Database, DatabaseDep, SessionDep
from service.ledger.proposal_schemas import ApprovalIn
from service.orders.approval import decide_approval
from service.orders.cancelling import preview_cancel
from service.orders.deadline import put_off_deadline
from service.orders.ending import cancel_undelivered
from service.orders.expiry import expire_before_writing
from service.orders.filters import OrderFilterDep
from service.orders.final_bill import find_arrived_bill
from service.orders.placing import place_order
from service.orders.repository import find_order, page_of_orders
from service.orders.schemas import (
    CancelPreview,
    DeadlineIn,
    OrderIn,
    OrderNamesIn,
    OrderOut,
    OrderPath,
    OrderSummary,
    StatusStep,
)
from service.orders.views import awaited_patches, full, new_order, steps, summaries
from service.plans.repository import find_plan, find_priced_plan
from service.plans.shape_files import SHAPES, GeoJsonResponse, ShapeFormDep, shapes_answer
from service.settings import SettingsDep
from service.web.idempotency import Answer, KeyedRequest, RequiredKeyDep, fingerprint, store_once
from service.web.openapi import problems
from service.web.paging import Page, SortedPageDep, page_links
from service.web.turns import TurnDep
from service.web.unchanged import never_changes

router = APIRouter(prefix="/v1/orders", tags=["orders"], responses=problems(401))


@router.post(
    "",
    dependencies=[Depends(expire_before_writing)],
    status_code=201,
    response_model=OrderOut,
    summary="Order a plan",
    openapi_extra={"x-billable": True},
    responses=problems(400, 402, 404, 409, 410, 422),
)
def create_order(
    order: OrderIn,
    caller: CallerDep,
    database: DatabaseDep,
    bundles: BundlesDep,
    settings: SettingsDep,
    key: RequiredKeyDep,
) -> Response:
    """Order every patch that a plan buys and hold its cost on a budget.

    The request needs an Idempotency-Key. The error 402 `budget-exceeded` names the available and the
    required amount. An order is `held` until another key decides on it if it costs more
    than its budget's `approval_above`, together with what its holder has ordered and charged in that budget
    within 24 hours without the approval of another.
    The error 409 `ground-already-bought` names the orders that own or await patches of the plan, unless the
    plan was made with `reuse=none`; 409 `reused-ground-lost` says that patches which the plan reuses are
    neither owned nor on order any more, and 409 `bundle-changed` that the server no longer holds the plan's
    bundle, without which deliveries cannot be read. A plan that only reuses ground makes an order without
    cost, which is `completed` at once and can be classified.
    """
    # Labels that are empty or left out are the same request, also as before there were any labels.
    empty = {name for name in ("tags", "cost_center", "name", "external_id") if not getattr(order, name)}
    body = order.model_dump_json(exclude=empty)
    request_print = fingerprint("POST /v1/orders", body)
    request = KeyedRequest(database, caller.workspace_id, key, request_print)
    return store_once(request, lambda session: _place(session, caller, order, bundles, settings.order_days))


def _place(session: Session, caller: Caller, order: OrderIn, bundles: Bundles, days: int) -> Answer:
    plan, _ = find_plan(session, caller.workspace_id, order.plan)
    if plan.patches_bought:
        bundles.of_plan(plan.provenance)  # deliveries are cut by it: without it no money may be held
    order_id = uuid4()
    awaited = awaited_patches(session, order_id, plan)  # before the order locks the workspace's chain
    placed = place_order(session, caller, order.plan, order.budget, days, order.labels, order_id)
    body = new_order(placed, awaited).model_dump(mode="json", exclude_none=True)
    return Answer(201, body, {"Location": f"/v1/orders/{order_id}"})


def _show(database: Database, workspace_id: UUID, order_id: UUID) -> OrderOut:
    """Write an order as it is after a request has changed it and given up its locks."""
    with database.sessions() as session:
        return full(session, find_order(session, workspace_id, order_id))


@router.get("", response_model_exclude_none=True, summary="List orders", responses=problems(422))
def list_orders(
    request: Request, caller: CallerDep, session: SessionDep, page: SortedPageDep, chosen: OrderFilterDep
) -> Page[OrderSummary]:
    """List the orders of the workspace without their patches, newest first.

    An order has to meet all filters that are given. One that is overdue is `expired`.
    """
    orders, following = page_of_orders(session, caller.workspace_id, page, chosen)
    return Page(items=summaries(session, orders), links=page_links(request, following))


@router.get(
    "/{order_id}",
    response_model_exclude_none=True,
    summary="Show an order",
    responses=problems(404, 422),
)
def get_order(order_id: OrderPath, caller: CallerDep, session: SessionDep) -> OrderOut:
    """Show an order's status, money and history, and the patches that it awaits.

    At most 4,096 awaited patches are listed, each with its footprint and upload link; as they are delivered,
    the next ones appear. An order that is overdue is shown as expired.
    """
    return full(session, find_order(session, caller.workspace_id, order_id))


@router.patch(
    "/{order_id}",
    name="name_order",
    response_model_exclude_none=True,
    summary="Name an order",
    responses=problems(404, 422),
)
def name_order(
    order_id: OrderPath, change: OrderNamesIn, caller: CallerDep, session: SessionDep
) -> OrderSummary:
    """Change an order's name and external id with a JSON merge patch (RFC 7396).

    Its tags and its cost centre stay as they were placed: reports and the proofs of the ledger rest on them.
    """
    order = find_order(session, caller.workspace_id, order_id, lock=True)
    for member in change.model_fields_set:
        setattr(order, member, getattr(change, member))
    session.flush()
    return summaries(session, [order])[0]


@router.get(
    "/{order_id}/shapes",
    dependencies=[Depends(never_changes)],
    name="get_order_shapes",
    summary="Show the polygons to give the provider for an order",
    response_class=GeoJsonResponse,
    responses={**SHAPES, **problems(404, 422)},
)
def show_order_shapes(
    order_id: OrderPath, caller: CallerDep, database: DatabaseDep, _turn: TurnDep, form: ShapeFormDep
) -> Response:
    """Return the shapes of the order's plan: GeoJSON, one MultiPolygon, WKT, KML or a GeoPackage.

    They are those of the whole order, whatever was delivered or cancelled since.
    """
    with database.sessions() as session:
        order = find_order(session, caller.workspace_id, order_id)
        plan, scene, price_list = find_priced_plan(session, caller.workspace_id, order.plan_id)
    return shapes_answer(form, plan, scene, price_list)


@router.post(
    "/{order_id}/cancel",
    name="cancel_order",
    dependencies=[Depends(expire_before_writing)],
    response_model_exclude_none=True,
    summary="Cancel an order",
    responses=problems(404, 409, 422),
)
def cancel_order(order_id: OrderPath, caller: CallerDep, database: DatabaseDep) -> OrderOut:
    """Cancel the undelivered patches of an order and release their money.

    Delivered patches stay paid. If the provider's bill for them is higher than what was settled, as under a
    minimum area, the difference is settled first: `GET` on the same path states the amounts in advance. An
    order that was cancelled, rejected or expired before stays as it is.
    """
    bill = find_arrived_bill(database, caller.workspace_id, order_id)  # computed without a connection
    with database.sessions.begin() as session:
        cancel_undelivered(session, caller, order_id, bill)
    return _show(database, caller.workspace_id, order_id)


@router.get(
    "/{order_id}/cancel",
    name="preview_cancel",
    summary="Show what cancelling an order would cost",
    responses=problems(404, 422),
)
def show_cancel(order_id: OrderPath, caller: CallerDep, database: DatabaseDep) -> CancelPreview:
    """Show the provider's bill for what came, what was settled, and what cancelling would release.

    Nothing is changed. Of an order that ended before, nothing would be settled or released.
    """
    return preview_cancel(database, caller.workspace_id, order_id)


@router.get(
    "/{order_id}/statuses",
    response_model_exclude_none=True,
    summary="List an order's status changes",
    responses=problems(404, 422),
)
def list_statuses(
    request: Request, order_id: OrderPath, caller: CallerDep, session: SessionDep
) -> Page[StatusStep]:
    """List every status of an order with its time, its reason and the key that caused it, oldest first."""
    order = find_order(session, caller.workspace_id, order_id)
    return Page(items=steps(session, order), links=page_links(request, None))


@router.post(
    "/{order_id}/approval",
    name="decide_order",
    dependencies=[Depends(expire_before_writing)],
    response_model_exclude_none=True,
    summary="Approve or reject a held order",
    responses=problems(403, 404, 409, 422),
)
def approve_order(
    order_id: OrderPath, wanted: ApprovalIn, caller: CallerDep, database: DatabaseDep
) -> OrderOut:
    """Decide once on a held order, with the key of another holder than the one who placed it.

    An approved order takes deliveries. A rejected order ends and releases its money.
    """
    with database.sessions.begin() as session:
        decide_approval(session, caller, order_id, wanted)
    return _show(database, caller.workspace_id, order_id)


# Overdue orders are not ended first, as before other writing requests: this one may be put off.
@router.post(
    "/{order_id}/deadline",
    name="put_off_order",
    response_model_exclude_none=True,
    summary="Put off an order's deadline",
    responses=problems(404, 409, 422),
)
def put_off_order(
    order_id: OrderPath, wanted: DeadlineIn, caller: CallerDep, database: DatabaseDep
) -> OrderOut:
    """Let an order await its patches until the end of a later day.

    An overdue order awaits its patches again, unless the entry that releases its hold was made (409
    `order-ended`). The deadline cannot be brought forward: cancel the order instead. The same day again
    changes nothing.
    """
    with database.sessions.begin() as session:
        put_off_deadline(session, caller, order_id, wanted)
    return _show(database, caller.workspace_id, order_id)
