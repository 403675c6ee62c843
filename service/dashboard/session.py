"""Sign-in to the dashboard: an API key in a cookie that browsers send only to the dashboard's paths.

Routes under /v1 never read the cookie, and routes under /dashboard change nothing but the cookie. A page of
another site therefore cannot make a visitor's browser spend money (decision record 0010).
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
    """An attempt of another site's page to sign the visitor in or out."""

    status = 403
    code = "cross-site-request"
    title = "This form was sent from another site"


def sign_in(request: Request, response: Response, key: str) -> None:
    """Store `key` in a cookie that scripts cannot read and other sites cannot send."""
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
    """Delete the cookie that holds the key."""
    response.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="strict")


def check_same_site(request: Request) -> None:
    """Refuse a form that another site's page sent, which would sign the visitor in as somebody else.

    Browsers send `Sec-Fetch-Site` over HTTPS and only `Origin` over plain HTTP. A client that sends
    neither is not a browser, so it has no visitor to mislead. Raises CrossSiteError.
    """
    headers = request.headers
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        ours = site in {"same-origin", "none"}
    else:
        ours = origin is None or urlsplit(origin).netloc == headers.get("host")
    if not ours:
        raise CrossSiteError("Open the dashboard in your browser and sign in or out there.")


def find_caller(request: Request, key: str) -> Caller | None:
    """Return the caller that owns this key, or None."""
    database = cast(Database, request.state.database)
    try:
        with database.sessions() as session:
            return authenticate(session, key)
    except UnauthenticatedError:
        return None


def optional_visitor(request: Request) -> Caller | None:
    """Return the signed-in caller, or None when nobody is signed in or the key was revoked."""
    key = request.cookies.get(COOKIE)
    return None if key is None else find_caller(request, key)


def visitor(found: Annotated[Caller | None, Depends(optional_visitor)]) -> Caller:
    """Return the signed-in caller. UnauthenticatedError (401) when nobody is signed in."""
    if found is None:
        raise UnauthenticatedError
    return found


OptionalVisitorDep = Annotated[Caller | None, Depends(optional_visitor)]
VisitorDep = Annotated[Caller, Depends(visitor)]
