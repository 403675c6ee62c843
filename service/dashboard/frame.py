"""The frame of every page: navigation, who is signed in, notices, and the reason of a refusal.

Scripts of the pages send forms too (`sending.js`). They get the same answers as documents, so that a progress
bar and the entries of the form can stay on the page.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from fastapi import Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from service.dashboard.csv_mark import wants_mark
from service.dashboard.notices import drop_notice, leave_notice, read_notice
from service.dashboard.rendering import render
from service.dashboard.session import PATH, Visitor
from service.dashboard.wording import in_words

TO_SCRIPT = "application/vnd.loupe.form+json"
"""Media type that a script of the pages accepts as the answer to a form."""


class View(NamedTuple):
    """A view of the dashboard: its address, its name in the navigation, and addresses that belong to it."""

    path: str
    name: str
    also: tuple[str, ...] = ()

    def holds(self, path: str) -> bool:
        """Return whether a page belongs to the view. The overview holds no page but itself."""
        own = () if self.path == PATH else (self.path, *self.also)
        return path == self.path or any(path == one or path.startswith(f"{one}/") for one in own)


MODELS, OPERATIONS, JOBS = f"{PATH}/models", f"{PATH}/operations", f"{PATH}/jobs"
VIEWS = (
    View(PATH, "Overview"),
    View(f"{PATH}/orders", "Orders"),
    View(f"{PATH}/plans", "Plans"),
    View(f"{PATH}/map", "Map"),
    View(f"{PATH}/ledger", "Ledger"),
    View(f"{PATH}/budgets", "Budgets"),
    View(f"{PATH}/reports", "Reports"),
    View(MODELS, "Models and operations", (OPERATIONS, JOBS)),
)
"""The views in the order of the navigation."""


def show(request: Request, visitor: Visitor, template: str, *, status: int = 200, **values: Any) -> Response:
    """Return a page in the frame. It shows `problem`, a problem document, and the notice of an action."""
    problem = values.pop("problem", None)
    values["problem"] = None if problem is None else in_words(problem)
    if problem is not None and is_script(request):
        return JSONResponse(values["problem"], status, media_type=TO_SCRIPT)
    notice = read_notice(request, visitor)
    # A page that answers a form has the form's address, which cannot be read again.
    values["watch"] = values.get("watch") if problem is None else None
    values |= {"visitor": visitor, "views": VIEWS, "here": request.url.path, "notice": notice}
    values |= {"marks_csv": wants_mark(request), "address": address_of_page(request)}
    answer = render(template, status, refused_keys=refused_keys(request, problem), **values)
    if notice is not None:
        drop_notice(request, answer)
    return answer


def address_of_page(request: Request) -> str:
    """Return the address of a page with its query; that of the overview for one that answers a form."""
    if request.method != "GET":
        return PATH
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


def refused_keys(request: Request, problem: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the key of a refused form by the form's address.

    The refusal may be that the first click is still being worked on: under a new key, the next click would
    do the same again. A key that belongs to other entries is not kept.
    """
    key: str | None = getattr(request.state, "form_key", None)
    if problem is None or key is None or str(problem["type"]).endswith("/idempotency-key-reused"):
        return {}
    return {request.url.path: key}


def go_to(request: Request, visitor: Visitor, path: str, notice: str) -> Response:
    """Lead to the page that shows what an action has changed, with a sentence about it."""
    answer: Response = RedirectResponse(path, 303)
    if is_script(request):
        answer = JSONResponse({"page": path, "notice": notice}, media_type=TO_SCRIPT)
    leave_notice(request, answer, visitor, notice)
    return answer


def is_script(request: Request) -> bool:
    """Return whether a script of a page sent the form, and shows the answer itself."""
    return TO_SCRIPT in request.headers.get("accept", "")
