"""Deletion of pixels, and the days for which a workspace keeps them."""

from fastapi import APIRouter, Request

from service.access.caller import CallerDep, address_of
from service.access.repository import Caller
from service.database.engine import DatabaseDep, SessionDep
from service.errors import NotFoundError
from service.orders.schemas import OrderPath
from service.plans.routes import PlanId
from service.retention.deleting import Doer, delete_order_pixels, delete_scene_pixels
from service.retention.policy import Retention, retention_of
from service.retention.policy import set_retention as change_retention
from service.retention.schemas import DeletedOut, RetentionDays
from service.settings import BlobsDep
from service.web.openapi import problems

router = APIRouter(prefix="/v1", tags=["retention"], responses=problems(401))


@router.delete(
    "/plans/{plan_id}/pixels",
    name="delete_scene_pixels",
    summary="Delete the pixels of a plan's scene",
    responses=problems(404, 409, 422, 503),
)
def delete_pixels_of_scene(
    request: Request, plan_id: PlanId, caller: CallerDep, database: DatabaseDep, blobs: BlobsDep
) -> DeletedOut:
    """Delete the scene's file and its LR pixels. Plans, prices, digests and the ledger stay as they are.

    Whatever needs the pixels afterwards answers 410 `pixels-deleted`. The error 409 `pixels-needed` names
    the open orders and unfinished jobs that need them. Deleting twice is harmless.
    """
    doer = _doer(request, caller)
    return DeletedOut.of(*delete_scene_pixels(database, blobs, caller.workspace_id, plan_id, doer))


@router.delete(
    "/orders/{order_id}/pixels",
    name="delete_order_pixels",
    summary="Delete the pixels of what was delivered for an order",
    responses=problems(404, 409, 422, 503),
)
def delete_pixels_of_order(
    request: Request, order_id: OrderPath, caller: CallerDep, database: DatabaseDep, blobs: BlobsDep
) -> DeletedOut:
    """Delete every delivered file of the order and its patches. Payments, digests and checks stay.

    Plans made afterwards do not reuse the ground. Whatever needs the pixels answers 410 `pixels-deleted`. The
    error 409 `pixels-needed` names the open orders and unfinished jobs that need them. Deleting twice is
    harmless.
    """
    doer = _doer(request, caller)
    deletion, freed = delete_order_pixels(database, blobs, caller.workspace_id, order_id, doer)
    if deletion is None:
        raise NotFoundError(
            f"Nothing was delivered for order {order_id}, so it has no pixels to delete.",
            order=str(order_id),
        )
    return DeletedOut.of(deletion, freed)


@router.get("/retention", summary="Show for how many days the workspace keeps pixels")
def get_retention(caller: CallerDep, session: SessionDep) -> RetentionDays:
    """Return the days for scenes and for deliveries; null where pixels stay until somebody deletes them."""
    return RetentionDays.of(retention_of(session, caller.workspace_id))


@router.put(
    "/retention",
    name="set_retention",
    summary="Set for how many days the workspace keeps pixels",
    responses=problems(422),
)
def put_retention(
    request: Request, wanted: RetentionDays, caller: CallerDep, session: SessionDep
) -> RetentionDays:
    """Set the days for scenes and for deliveries; older pixels are deleted by the server's next round.

    The audit log names each deletion. Pixels that an open order or an unfinished job needs wait for its end.
    """
    retention = Retention(scene_days=wanted.scene_days, delivery_days=wanted.delivery_days)
    change_retention(session, caller, retention, address_of(request))
    return wanted


def _doer(request: Request, caller: Caller) -> Doer:
    return Doer(key_id=caller.key_id, address=address_of(request))
