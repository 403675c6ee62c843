"""The picture of a plan's scene on the dashboard."""

from uuid import UUID

from fastapi import APIRouter, Response

from service.dashboard.session import PATH, VisitorDep
from service.database.engine import DatabaseDep
from service.plans.pixels import reading_scene
from service.plans.preview import KEPT_BRIEFLY, render_preview
from service.plans.repository import find_plan
from service.settings import BlobsDep, SettingsDep
from service.web.turns import TurnDep

router = APIRouter(prefix=PATH, include_in_schema=False)


@router.get("/plans/{plan_id}/preview.png")
def preview(
    plan_id: UUID,
    visitor: VisitorDep,
    database: DatabaseDep,
    settings: SettingsDep,
    blobs: BlobsDep,
    _turn: TurnDep,
) -> Response:
    """Send a picture of a plan's scene with its bought patches outlined.

    The page loads several at once, so no database connection is held while they are drawn.
    """
    with database.sessions() as session:
        plan, scene = find_plan(session, visitor.workspace_id, plan_id)
    with reading_scene(database, scene):
        picture = render_preview(plan, scene, blobs, settings)
    return Response(picture, media_type="image/png", headers=KEPT_BRIEFLY)
