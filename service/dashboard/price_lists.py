"""Price lists on the dashboard: those that plans can use today, and the import of others."""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from service.dashboard.frame import show
from service.dashboard.sent_table import SentTableDep, TableInvalidError, outcome
from service.dashboard.session import PATH, Visitor, VisitorDep
from service.database.engine import Database, DatabaseDep
from service.errors import LoupeError
from service.pricing.imports import COLUMNS, read_import
from service.pricing.repository import lists_in_force, publish
from service.pricing.schemas import PriceListIn, PriceListOut
from service.pricing.wording import price_in_words, rules_in_words

PAGE = f"{PATH}/plans/price-lists"
router = APIRouter(prefix=PAGE, include_in_schema=False)


@router.get("", name="price_lists_page")
def show_price_lists(request: Request, visitor: VisitorDep, database: DatabaseDep) -> Response:
    """Show every price list that is valid today, offers before examples."""
    return _page(request, visitor, database)


@router.post("", name="import_price_lists_on_page")
def import_on_page(sent: SentTableDep) -> Response:
    """Publish every price list of a file, as `POST /v1/price-lists/import` does."""
    form = sent.form

    def refuse(error: LoupeError) -> Response:
        return _page(form.request, form.visitor, form.database, error)

    return sent.import_rows("import_price_lists", read_import, _publish, then=PAGE, refuse=refuse)


def _publish(session: Session, visitor: Visitor, lists: Sequence[PriceListIn]) -> str:
    are_new = [publish(session, visitor.workspace_id, one.columns())[1] for one in lists]
    return outcome(are_new, "price list", "published")


def _page(
    request: Request, visitor: Visitor, database: Database, error: LoupeError | None = None
) -> Response:
    with database.sessions() as session:
        rows = lists_in_force(session, visitor.workspace_id)
    lists = sorted(
        map(PriceListOut.of, rows), key=lambda one: (one.example, one.provider.casefold(), one.name)
    )
    return show(
        request,
        visitor,
        "price_lists.html",
        status=200 if error is None else error.status,
        problem=None if error is None else error.problem(),
        faults=error.faults if isinstance(error, TableInvalidError) else [],
        lists=[_in_words(one) for one in lists],
        columns=("name", *(one for one in COLUMNS if one != "name")),
    )


def _in_words(price_list: PriceListOut) -> tuple[PriceListOut, str, list[str]]:
    document = price_list.model_dump(mode="json")
    return price_list, price_in_words(document), rules_in_words(document)
