"""`/v1/price-lists`."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from service.access.caller import CallerDep
from service.database.engine import SessionDep
from service.pricing import repository
from service.pricing.imports import ImportDep
from service.pricing.schemas import CSV_EXAMPLE, ImportedOut, PriceListIn, PriceListOut
from service.web.openapi import problems
from service.web.paging import Page, PageDep, page_links

router = APIRouter(prefix="/v1/price-lists", tags=["price lists"], responses=problems(401, 422))


@router.post(
    "",
    status_code=201,
    summary="Publish a provider's prices",
    responses={200: {"model": PriceListOut, "description": "These are the newest version's terms already"}},
)
def publish_price_list(
    body: PriceListIn, caller: CallerDep, session: SessionDep, response: Response
) -> PriceListOut:
    """Add a price list. It never changes: the same name with other terms becomes its next version."""
    row, is_new = repository.publish(session, caller.workspace_id, body.columns())
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = f"/v1/price-lists/{row.id}"
    return PriceListOut.of(row)


@router.post(
    "/import",
    status_code=201,
    summary="Publish many price lists, as CSV or JSON",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "text/csv": {"schema": {"type": "string"}, "example": CSV_EXAMPLE},
                "application/json": {
                    "schema": {"type": "array", "items": {"$ref": "#/components/schemas/PriceListIn"}}
                },
            },
        }
    },
)
def import_price_lists(caller: CallerDep, lists: ImportDep, session: SessionDep) -> ImportedOut:
    """All or none: `errors` names every fault as /rows/<number>/<column>, counted as a spreadsheet does.

    CSV: the first row names the columns, which are the fields of a price list; an empty cell leaves the
    default; `tiers` is written `500:7; 1000:5`.
    """
    kept = [repository.publish(session, caller.workspace_id, one.columns()) for one in lists]
    return ImportedOut(
        published=sum(is_new for _, is_new in kept),
        unchanged=sum(not is_new for _, is_new in kept),
        items=[PriceListOut.of(row) for row, _ in kept],
    )


@router.get("", summary="List the price lists, newest first")
def list_price_lists(
    request: Request, caller: CallerDep, session: SessionDep, page: PageDep
) -> Page[PriceListOut]:
    """Every version of every price list of the workspace, the shipped examples included."""
    rows, following = repository.page_of_price_lists(session, caller.workspace_id, page)
    return Page(items=[PriceListOut.of(row) for row in rows], links=page_links(request, following))


@router.get("/{price_list_id}", summary="Show one price list", responses=problems(404))
def get_price_list(price_list_id: UUID, caller: CallerDep, session: SessionDep) -> PriceListOut:
    """One version of a price list, as it was published."""
    return PriceListOut.of(repository.find_price_list(session, caller.workspace_id, price_list_id))
