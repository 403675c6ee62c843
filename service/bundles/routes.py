"""`/v1/bundles`."""

from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from service.access.caller import CallerDep
from service.bundles.card import BundleOut
from service.bundles.predictor import Predictor
from service.bundles.registry import Bundles, BundlesDep
from service.errors import NotFoundError
from service.web.openapi import problems
from service.web.paging import CursorDep, Page, foreign_cursor, page_links

router = APIRouter(prefix="/v1/bundles", tags=["bundles"], responses=problems(401))


@router.get("", summary="List the bundles, the default one first", responses=problems(422))
def list_bundles(
    request: Request,
    caller: CallerDep,  # noqa: ARG001  (the caller is only authenticated)
    bundles: BundlesDep,
    cursor: CursorDep,
    limit: Annotated[int, Query(ge=1, le=100, description="Most rows in the page.")] = 10,
) -> Page[BundleOut]:
    """Return the card of each bundle of this server: its sizes, its classes and its evaluation."""
    held = list(bundles)
    start = 0 if cursor is None else _after(held, cursor)
    shown = list(islice(held, start, start + limit))
    more = start + limit < len(held)
    items = [_card(bundles, one) for one in shown]
    return Page(items=items, links=page_links(request, shown[-1].sha256 if more else None))


@router.get("/{bundle}", summary="Show a bundle", responses=problems(404, 422))
def get_bundle(
    bundle: Annotated[
        str,
        Path(max_length=200, description="Its name (for the highest version), name@version or sha256."),
    ],
    caller: CallerDep,  # noqa: ARG001  (the caller is only authenticated)
    bundles: BundlesDep,
) -> BundleOut:
    """Return the card of one bundle."""
    found = bundles.find(bundle)
    if found is None:
        raise NotFoundError(
            f"This server holds no bundle {bundle}. GET /v1/bundles lists them.", bundle=bundle
        )
    return _card(bundles, found)


def _card(bundles: Bundles, predictor: Predictor) -> BundleOut:
    return BundleOut.of(predictor, default=predictor is bundles.default)


def _after(held: list[Predictor], cursor: str) -> int:
    """Return the place after the bundle whose sha256 is the cursor."""
    for place, one in enumerate(held):
        if one.sha256 == cursor:
            return place + 1
    raise foreign_cursor(cursor)
