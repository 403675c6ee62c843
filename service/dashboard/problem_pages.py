"""Problems as pages: what a person gets who opens an address of the dashboard with a browser.

It is asked wherever a problem document is answered: by a route, for an address that nobody knows, and by what
stands before the routes, such as the limits of bodies and quotas. Programs get the document.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from service.dashboard.frame import TO_SCRIPT, is_script
from service.dashboard.rendering import render
from service.dashboard.session import PATH, PICTURE_OR_FILE
from service.dashboard.wording import in_words
from service.web.problems import allowed_methods

LONGEST = 3_000
"""Characters of the longest address to which signing in leads back, as a cookie takes it to the issuer."""


def answer_people(
    request: Request, document: Mapping[str, Any], headers: Mapping[str, str]
) -> Response | None:
    """Return the page for a problem document; None where the document is the answer.

    Who is not signed in is led to the sign-in form.
    """
    path, accept = request.url.path, request.headers.get("accept", "")
    if path != PATH and not path.startswith(f"{PATH}/"):
        return None
    if is_script(request):
        return JSONResponse(
            in_words(document), document["status"], dict(headers) | {"Content-Type": TO_SCRIPT}
        )
    wants_page = "text/html" in accept
    if document["status"] == HTTPStatus.UNAUTHORIZED:
        is_page = PICTURE_OR_FILE.search(path) is None and "json" not in accept
        return to_login(request) if wants_page or is_page else None
    if not wants_page:
        return None
    answer = render("problem.html", document["status"], problem=in_words(document), back=page_before(request))
    answer.headers.update({name: value for name, value in headers.items() if name.lower() != "content-type"})
    return answer


def to_login(request: Request) -> Response:
    """Redirect to the sign-in form, which leads back to the page that was asked for.

    A form and a file lead back to their page: signing in would otherwise seem to do nothing. The sign-in form
    says that a form was not carried out.
    """
    is_form = request.method not in {"GET", "HEAD"}
    asked = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
    if is_form or PICTURE_OR_FILE.search(request.url.path):
        asked = page_before(request)
    if not can_lead_back(asked):
        asked = PATH if is_form else request.url.path
    said = {"to": asked} if asked != PATH and can_lead_back(asked) else {}
    if is_form:
        said["form"] = "unsent"
    query = urlencode(said, quote_via=quote, safe="/")
    return RedirectResponse(f"{PATH}/login?{query}" if said else f"{PATH}/login", 303)


def can_lead_back(address: str) -> bool:
    """Return whether an address is short enough to be kept while somebody signs in."""
    return len(quote(address, safe="")) <= LONGEST


def page_before(request: Request) -> str:
    """Return the page that the request came from, else that above the address of a form, else the first."""
    _, _, after = request.headers.get("referer", "").partition(f"//{request.headers.get('host')}")
    # The address of a page that answered a form may be none that can be read.
    is_itself = after.partition("?")[0] == request.url.path
    can_be_read = request.method != "GET" and "GET" in allowed_methods(request)
    if after.startswith(PATH) and (can_be_read or not is_itself):
        return after
    above = request.url.path.rpartition("/")[0]
    return above if request.method != "GET" and above.startswith(f"{PATH}/") else PATH
