"""Signing in and out."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from service.access.discovery import IssuerAwayError
from service.access.issuer import Issuer, issuer_of
from service.access.tokens import PersonUnknownError
from service.dashboard.forms import check_form
from service.dashboard.issuer_sign_in import (
    Returned,
    SignInFailedError,
    come_back,
    destination,
    leave,
    sentence_of,
)
from service.dashboard.problem_pages import can_lead_back
from service.dashboard.rendering import render
from service.dashboard.session import PATH, OptionalVisitorDep, check_same_site, sign_in, sign_out
from service.errors import NotFoundError
from service.web.parameters import takes_any_query

router = APIRouter(prefix=PATH, include_in_schema=False)
To = Annotated[str, Query()]


@router.get("/login")
def show_login(
    request: Request, to: To = PATH, form: Annotated[Literal["unsent"] | None, Query()] = None
) -> Response:
    """Show the sign-in form, which takes an API key and leads to the page `to`, and the way to the issuer.

    It says that a form was not carried out if one was sent without a session.
    """
    return login_page(request, page_of(to), unsent=form is not None)


@router.post("/login", dependencies=[Depends(check_same_site)])
def login(
    request: Request,
    key: Annotated[str, Form(max_length=500)],
    to: Annotated[str, Form()] = PATH,
) -> Response:
    """Start a session with a valid key and redirect to the page that was asked for."""
    answer = RedirectResponse(page_of(to), 303)
    if sign_in(request, answer, key.strip()):
        return answer
    return login_page(request, page_of(to), 401, refused=True)


@router.get("/login/issuer")
def login_at_issuer(request: Request, to: To = PATH) -> Response:
    """Send the browser to the issuer to sign in there, and later to the page `to`."""
    issuer = issuer_for_people(request)
    try:
        return leave(request, issuer, page_of(to))
    except IssuerAwayError as failure:
        return login_page(request, page_of(to), failure.status, failed=sentence_of(failure, issuer))


@router.get("/login/return")
@takes_any_query
def login_returned(
    request: Request,
    code: Annotated[str | None, Query(max_length=4000)] = None,
    state: Annotated[str | None, Query(max_length=200)] = None,
    iss: Annotated[str | None, Query(max_length=500)] = None,
    error: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Start the session of somebody whom the issuer sends back, and show a page that leads on.

    A redirect would still count as coming from the issuer's site, and browsers would send no strict cookie.
    """
    issuer, to = issuer_for_people(request), page_of(destination(request))
    answer = render("signed_in.html", to=to)
    try:
        come_back(request, answer, issuer, Returned(code=code, state=state, issuer=iss, error=error))
    except (SignInFailedError, PersonUnknownError, IssuerAwayError) as failure:
        return login_page(request, to, failure.status, failed=sentence_of(failure, issuer))
    return answer


@router.post("/logout")
def logout(
    request: Request, visitor: OptionalVisitorDep, form_token: Annotated[str, Form(max_length=64)] = ""
) -> Response:
    """End the session and redirect to the sign-in form."""
    check_same_site(request)
    answer = RedirectResponse(f"{PATH}/login", 303)
    if visitor is not None:
        check_form(request, visitor, form_token)
        sign_out(request, answer, visitor)
    return answer


def login_page(
    request: Request,
    to: str,
    status: int = 200,
    *,
    refused: bool = False,
    failed: str | None = None,
    unsent: bool = False,
) -> Response:
    """Return the sign-in page.

    It says that a key was `refused`, why the issuer's answer `failed`, or that a form is `unsent`.
    """
    issuer = issuer_of(request)
    shown = issuer if issuer is not None and issuer.signs_in else None
    return render("login.html", status, refused=refused, failed=failed, unsent=unsent, issuer=shown, to=to)


def issuer_for_people(request: Request) -> Issuer:
    """Return the issuer at which people sign in. NotFoundError if there is none."""
    issuer = issuer_of(request)
    if issuer is None or not issuer.signs_in:
        raise NotFoundError(f"This server has no issuer to sign in at. Use an API key at {PATH}/login.")
    return issuer


def page_of(to: str) -> str:
    """Return an address of the dashboard as it is, and the first page for any other and for a long one."""
    inside = to.partition("?")[0] == PATH or to.startswith(f"{PATH}/")
    return to if inside and can_lead_back(to) and "\\" not in to and to.isprintable() else PATH
