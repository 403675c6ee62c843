"""The page of words: what each word of the pages means."""

from fastapi import APIRouter, Request, Response

from service.dashboard.frame import show
from service.dashboard.session import VisitorDep
from service.dashboard.words import GROUPS, PAGE, anchor

router = APIRouter(prefix=PAGE, include_in_schema=False)


@router.get("", name="words_page")
def words_page(request: Request, visitor: VisitorDep) -> Response:
    """Show every word with its meaning."""
    return show(request, visitor, "words.html", groups=GROUPS, anchor=anchor)
