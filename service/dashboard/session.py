"""Who looks at the dashboard: an API key in a cookie that only the dashboard's own paths receive.

No route under /v1 ever sees the cookie, and no route under /dashboard changes anything but the cookie
itself; so a page elsewhere cannot make a visitor's browser spend money (ADR 0010).
"""

from typing import Annotated, cast
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response

from service.access.repository import Caller, authenticate
from service.database.engine import Database
from service.errors import LoupeError, UnauthenticatedError

COOKIE = "loupe_dashboard"
PATH = "/dashboard"
SECONDS = 12 * 60 * 60


class CrossSiteError(LoupeError):
    """Another site's page tried to sign the visitor in or out."""

    status = 403
    code = "cross-site-request"
    title = "This form was sent from another site"


def sign_in(request: Request, response: Response, key: str) -> None:
    """Keep `key` in the browser: unreadable by scripts, never sent from other sites."""
    response.set_cookie(
        COOKIE,
        key,
        max_age=SECONDS,
        path=PATH,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


def sign_out(response: Response) -> None:
    """Forget the key."""
    response.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="strict")


def check_same_site(request: Request) -> None:
    """Refuse a form that another site's page sent: it would sign the visitor in as somebody else.

    Browsers say where a request comes from; over plain HTTP only `Origin` does. A tool that says
    nothing is no browser, and has no visitor to mislead.
    """
    headers = request.headers
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        ours = site in {"same-origin", "none"}
    else:
        ours = origin is None or urlsplit(origin).netloc == headers.get("host")
    if not ours:
        raise CrossSiteError("Open the dashboard itself and sign in there.")


def holder_of(request: Request, key: str) -> Caller | None:
    """Return whose key this is, or None."""
    database = cast(Database, request.state.database)
    try:
        with database.sessions() as session:
            return authenticate(session, key)
    except UnauthenticatedError:
        return None


def optional_visitor(request: Request) -> Caller | None:
    """Return whose dashboard this is; None when nobody is signed in or the key was revoked."""
    key = request.cookies.get(COOKIE)
    return None if key is None else holder_of(request, key)


def visitor(found: Annotated[Caller | None, Depends(optional_visitor)]) -> Caller:
    """Return whose dashboard this is; UnauthenticatedError (401) when nobody is signed in."""
    if found is None:
        raise UnauthenticatedError
    return found


OptionalVisitorDep = Annotated[Caller | None, Depends(optional_visitor)]
VisitorDep = Annotated[Caller, Depends(visitor)]
