"""The frame of every page: navigation, who is signed in, notices, and the reason of a refusal."""

from typing import Any, NamedTuple

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from service.dashboard.notices import drop_notice, leave_notice, read_notice
from service.dashboard.rendering import render
from service.dashboard.session import PATH, Visitor
from service.dashboard.wording import in_words


class View(NamedTuple):
    """A view of the dashboard: its address and its name in the navigation."""

    path: str
    name: str


VIEWS = (
    View(PATH, "Overview"),
    View(f"{PATH}/orders", "Orders"),
    View(f"{PATH}/plans", "Plans"),
    View(f"{PATH}/map", "Map"),
    View(f"{PATH}/ledger", "Ledger"),
    View(f"{PATH}/budgets", "Budgets"),
    View(f"{PATH}/reports", "Reports"),
)
"""The views in the order of the navigation."""


def show(request: Request, visitor: Visitor, template: str, *, status: int = 200, **values: Any) -> Response:
    """Return a page in the frame. It shows `problem`, a problem document, and the notice of an action."""
    notice = read_notice(request, visitor)
    problem = values.pop("problem", None)
    values["problem"] = None if problem is None else in_words(problem)
    answer = render(
        template, status, visitor=visitor, views=VIEWS, here=request.url.path, notice=notice, **values
    )
    if notice is not None:
        drop_notice(request, answer)
    return answer


def go_to(request: Request, visitor: Visitor, path: str, notice: str) -> Response:
    """Redirect to the page that shows what an action has changed, with a sentence about it."""
    answer = RedirectResponse(path, 303)
    leave_notice(request, answer, visitor, notice)
    return answer
