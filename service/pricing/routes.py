"""The routes of `/v1/price-lists`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response

from service.access.caller import CallerDep
from service.database.engine import SessionDep
from service.pricing import repository
from service.pricing.documents import CSV_EXAMPLE
from service.pricing.imports import MOST_ROWS, ImportDep
from service.pricing.schemas import ImportedOut, PriceListIn, PriceListOut
from service.web.openapi import problems
from service.web.paging import Page, PageDep, page_links
from service.web.unchanged import never_changes

PriceListId = Annotated[UUID, Path(description="Id of a version of a price list.")]

router = APIRouter(prefix="/v1/price-lists", tags=["price-lists"], responses=problems(401, 422))


@router.post(
    "",
    status_code=201,
    summary="Publish a price list",
    responses={
        200: {"model": PriceListOut, "description": "The newest version of this name has the same terms."}
    },
)
def publish_price_list(
    body: PriceListIn, caller: CallerDep, session: SessionDep, response: Response
) -> PriceListOut:
    """Add a price list. It never changes: publishing the same name with other terms adds a version."""
    row, is_new = repository.publish(session, caller.workspace_id, body.columns())
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = f"/v1/price-lists/{row.id}"
    return PriceListOut.of(row)


@router.post(
    "/import",
    status_code=201,
    summary="Publish many price lists from CSV or JSON",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "text/csv": {"schema": {"type": "string"}, "example": CSV_EXAMPLE},
                "application/json": {
                    "schema": {
                        "type": "array",
                        "items": {"$ref": "#/components/schemas/PriceListIn"},
                        "minItems": 1,
                        "maxItems": MOST_ROWS,
                    }
                },
            },
        }
    },
)
def import_price_lists(caller: CallerDep, lists: ImportDep, session: SessionDep) -> ImportedOut:
    """Publish every price list of a file, or none if any row is invalid.

    `errors` lists every invalid value as `/rows/<number>/<column>`, with the row numbers of a spreadsheet.
    In CSV, the first row names the columns, which are the fields of a price list. An empty cell means the
    default. `tiers` is written as `500:7; 1000:5`.
    """
    kept = [repository.publish(session, caller.workspace_id, one.columns()) for one in lists]
    return ImportedOut(
        published=sum(is_new for _, is_new in kept),
        unchanged=sum(not is_new for _, is_new in kept),
        items=[PriceListOut.of(row) for row, _ in kept],
    )


@router.get("", summary="List price lists, newest first")
def list_price_lists(
    request: Request, caller: CallerDep, session: SessionDep, page: PageDep
) -> Page[PriceListOut]:
    """List every version of every price list of the workspace, including the shipped examples."""
    rows, following = repository.page_of_price_lists(session, caller.workspace_id, page)
    return Page(items=[PriceListOut.of(row) for row in rows], links=page_links(request, following))


@router.get(
    "/{price_list_id}",
    dependencies=[Depends(never_changes)],
    summary="Show a price list",
    responses=problems(404),
)
def get_price_list(price_list_id: PriceListId, caller: CallerDep, session: SessionDep) -> PriceListOut:
    """Show one version of a price list as it was published."""
    return PriceListOut.of(repository.find_price_list(session, caller.workspace_id, price_list_id))
