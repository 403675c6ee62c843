"""Sign-in to the dashboard: a session of its own, in a cookie that opens nothing but these pages.

The cookie holds a random token and not the key, so whoever reads it can neither call the API with it nor use
it after the session has ended. Routes under /v1 never read it. A form that changes something carries a value
that only a page of this session knows (decision record 39).
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import Depends, Request, Response

from service.access.caller import address_of, admit, caller_of, note_export
from service.access.events import Event, EventKind, record
from service.access.repository import Caller
from service.access.roles import allowed_roles, needed, said
from service.dashboard.repository import LIFE, begin_session, caller_of_session, end_session
from service.database.durability import end_at_once
from service.database.engine import Database, DatabaseDep
from service.errors import LoupeError, UnauthenticatedError
from service.web.limits import visit_of
from service.web.middleware import ANSWER_HEADERS

COOKIE = "loupe_session"
PATH = "/dashboard"
FILE = re.compile(r"\.(csv|json|geojson)$")
"""The end of an address that exports a list."""
PICTURE_OR_FILE = re.compile(r"(\.[a-z]{3,7}|/shapes)$")
"""The end of an address that sends no page."""


class CrossSiteError(LoupeError):
    """A form that no page of the visitor's own session sent."""

    status = 403
    code = "cross-site-request"
    title = "This form was sent from another site"


@dataclass(frozen=True)
class Visitor(Caller):
    """The caller whose browser is signed in."""

    token: str = ""
    key_name: str = ""
    workspace_name: str = ""

    @property
    def form_token(self) -> str:
        """The value that the session's forms carry. The cookie cannot be told from it."""
        return hashlib.sha256(f"form:{self.token}".encode()).hexdigest()

    def may_do(self, operation: str) -> bool:
        """Return whether the role of the key may do an operation of the API."""
        return self.may(needed(operation))

    def needs(self, operation: str) -> str:
        """Return who may do an operation, for a sentence: "the role buyer or admin"."""
        return said(allowed_roles(needed(operation)))


def sign_in(request: Request, response: Response, key: str) -> bool:
    """Start a session of the key in the browser; return whether the key is valid.

    TooManyRequestsError (429) beyond a quota, of which sign-ins have one of their own.
    """
    database: Database = request.state.database
    try:
        caller = caller_of(database, request.state.notes, key, address_of(request))
    except UnauthenticatedError:
        visit_of(request).admit_stranger()
        return False
    start_session(request, response, caller, LIFE)
    return True


def start_session(request: Request, response: Response, caller: Caller, life: timedelta) -> None:
    """Start a session of the caller in the browser, which lasts at most `life`.

    TooManyRequestsError (429) beyond a quota, of which sign-ins have one of their own.
    """
    visit_of(request).admit_sign_in(caller.workspace_id, caller.key_id)
    with request.state.database.of(caller.workspace_id).sessions.begin() as session:
        token = begin_session(session, caller, life)
        record(session, _visit(EventKind.SIGNED_IN, request, caller))
    set_cookie(request, response, COOKIE, token, life)


def set_cookie(
    request: Request,
    response: Response,
    name: str,
    value: str,
    life: timedelta,
    same_site: Literal["strict", "lax"] = "strict",
) -> None:
    """Set a cookie that no script reads; a `life` of nothing deletes it."""
    secure = is_secure(request)
    response.set_cookie(
        cookie_name(request, name),
        value,
        max_age=int(life.total_seconds()),
        path="/" if secure else PATH,
        httponly=True,
        samesite=same_site,
        secure=secure,
    )


def sign_out(request: Request, response: Response, visitor: Visitor) -> None:
    """End the session and delete its cookie."""
    with request.state.database.of(visitor.workspace_id).sessions.begin() as session:
        end_session(session, visitor.token)
        record(session, _visit(EventKind.SIGNED_OUT, request, visitor))
    set_cookie(request, response, COOKIE, "", timedelta())


def _visit(kind: EventKind, request: Request, caller: Caller) -> Event:
    return Event(kind, caller.workspace_id, caller.key_id, "dashboard", address_of(request))


def cookie_name(request: Request, name: str = COOKIE) -> str:
    """Return the cookie's name: over HTTPS with the prefix that keeps other hosts from setting it."""
    return f"__Host-{name}" if is_secure(request) else name


def is_secure(request: Request) -> bool:
    """Return whether the visitor's browser came over HTTPS."""
    return request.url.scheme == "https"


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
        ours = origin is None or origin.partition("://")[2] == headers.get("host")
    if not ours:
        raise CrossSiteError("Open the dashboard in your browser and repeat the step there.")


def optional_visitor(request: Request, database: DatabaseDep) -> Visitor | None:
    """Return the signed-in visitor, or None when the browser has no session that is open."""
    token = request.cookies.get(cookie_name(request))
    if token is None:
        return None
    with database.of_all().sessions() as session:  # nobody knows the workspace before
        found = caller_of_session(session, token)
        end_at_once(session)
    if found is None:
        visit_of(request).admit_stranger()
        return None
    caller, names = found
    admit(request, caller)
    request.state.notes.use(caller.key_id)
    request.state.workspace_id = caller.workspace_id  # whose rows are seen, and whose turn it is to compute
    return Visitor(**vars(caller), token=token, key_name=names.key, workspace_name=names.workspace)


def visitor(request: Request, found: Annotated[Visitor | None, Depends(optional_visitor)]) -> Visitor:
    """Return the signed-in visitor. UnauthenticatedError (401) when nobody is signed in."""
    if found is None:
        raise UnauthenticatedError
    # A cookie does not keep caches from storing an answer, as the header Authorization does.
    request.scope[ANSWER_HEADERS]["cache-control"] = "no-store"
    if found_form := FILE.search(request.url.path):
        note_export(request, found, request.state.notes, found_form[1])
    return found


OptionalVisitorDep = Annotated[Visitor | None, Depends(optional_visitor)]
VisitorDep = Annotated[Visitor, Depends(visitor)]
