"""`/v1/bundles`."""

from fastapi import APIRouter, Request

from service.access.caller import CallerDep
from service.bundles.card import BundleOut
from service.bundles.predictor import PredictorDep
from service.web.openapi import problems
from service.web.paging import Page, page_links

router = APIRouter(prefix="/v1/bundles", tags=["bundles"], responses=problems(401))


@router.get("", summary="Show the served bundle", responses=problems(503))
def list_bundles(request: Request, caller: CallerDep, predictor: PredictorDep) -> Page[BundleOut]:  # noqa: ARG001  (the caller is only authenticated)
    """Return the card of the bundle that this server uses: its sizes, its classes and its evaluation."""
    return Page(items=[BundleOut.of(predictor)], links=page_links(request, None))
