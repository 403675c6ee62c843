"""The choice between plain CSV files and those that Excel reads, which stands at the foot of every page."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Response

from service.dashboard.csv_mark import choose_mark
from service.dashboard.forms import FormDep
from service.dashboard.frame import go_to
from service.dashboard.session import PATH
from service.dashboard.signing import page_of

router = APIRouter(prefix=PATH, include_in_schema=False)
SAID = {
    "excel": "CSV files of this browser now begin with a byte order mark, so that Excel shows every letter.",
    "plain": "CSV files of this browser are plain UTF-8 again.",
}


@router.post("/csv", name="choose_csv")
def choose(
    form: FormDep, files: Annotated[Literal["plain", "excel"], Form()], to: Annotated[str, Form()] = PATH
) -> Response:
    """Keep the choice in a cookie, and lead back to the page."""
    answer = go_to(form.request, form.visitor, page_of(to), SAID[files])
    choose_mark(form.request, answer, is_wanted=files == "excel")
    return answer
