"""The caller of a request, from its `Authorization: Bearer` header, and the check of its role."""

from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from service.access.bearer import REFUSALS, caller_of_token
from service.access.delegations import borrows
from service.access.events import Event, EventKind
from service.access.issuer import issuer_of
from service.access.notes import Notes, NotesDep
from service.access.refusals import KeyRefusedError
from service.access.repository import Caller, authenticate
from service.access.roles import Right, RoleNeededError, check_right, needed
from service.access.tokens import looks_like_token
from service.database.durability import end_at_once
from service.database.engine import Database, DatabaseDep
from service.errors import UnauthenticatedError
from service.web.limits import visit_of
from service.web.tabular import MEDIA_TYPES, wanted_form

IMAGERY = frozenset({"get_scene", "download_patch"})
"""Operations that send imagery."""
FILES = frozenset(
    {"list_ledger", "list_closes", "list_differences", "get_savings", "list_spend", "get_truth"}
)
"""Operations that send a list as a file when they are asked to."""

_bearer = HTTPBearer(
    auto_error=False,
    description="An API key, or a token (JWT) of the issuer that the server is set up for. The first start "
    "of the server prints a key; `loupe keys create` makes others.",
)


def caller_of(database: Database, notes: Notes, key: str, address: str | None) -> Caller:
    """Return the caller that `key` belongs to; note its use, or that `address` sent a key that is refused.

    It is looked up in a short session of its own, so that no connection is held while the request computes.
    Errors: unauthenticated, key-expired.
    """
    with database.of_all().sessions() as session:  # nobody knows the workspace before
        try:
            caller = authenticate(session, key)
        except KeyRefusedError as refusal:
            said = {"reason": refusal.reason}
            notes.event(
                Event(EventKind.REFUSED_KEY, refusal.workspace_id, refusal.key_id, None, address, said)
            )
            end_at_once(session)
            raise
        end_at_once(session)  # not after a failure of the database, whose own error has to be answered
    notes.use(caller.key_id)
    return caller


def address_of(request: Request) -> str | None:
    """Return the address that a request comes from, as far as the server knows it."""
    return None if request.client is None else request.client.host


def get_caller(
    request: Request,
    database: DatabaseDep,
    notes: NotesDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    """Return the caller; UnauthenticatedError (401) without a valid key or token.

    KeyExpiredError (401), TooManyRequestsError (429) beyond a quota; PersonUnknownError (403) for a valid
    token of somebody in no workspace, and IssuerAwayError (503) while tokens cannot be verified.
    """
    if credentials is None:
        visit_of(request).admit_stranger()
        raise UnauthenticatedError
    text, issuer, address = credentials.credentials, issuer_of(request), address_of(request)
    try:
        if issuer is not None and looks_like_token(text):
            caller = caller_of_token(database, notes, issuer, text, address)
        else:
            caller = caller_of(database, notes, text, address)
    except (KeyRefusedError, *REFUSALS):
        visit_of(request).admit_stranger()
        raise
    admit(request, caller)
    return caller


def admit(request: Request, caller: Caller) -> None:
    """Count a request for the quotas of its key and workspace; TooManyRequestsError (429) beyond one."""
    visit_of(request).admit(caller.workspace_id, caller.key_id)
    request.state.workspace_id = caller.workspace_id  # whose rows are seen, and whose turn it is to compute
    request.state.key_id, request.state.role = caller.key_id, caller.role  # for the access log


CallerDep = Annotated[Caller, Depends(get_caller)]


def check_role(request: Request, caller: CallerDep, database: DatabaseDep, notes: NotesDep) -> None:
    """Raise RoleNeededError (403) unless the caller's role may do the operation; note it, or an export."""
    operation = cast(APIRoute, request.scope["route"]).name
    check_operation(request, caller, database, notes, operation)
    form = form_of(request, operation)
    if form is not None:
        note_export(request, caller, notes, form)


def check_operation(
    request: Request, caller: Caller, database: Database, notes: Notes, operation: str
) -> None:
    """Raise RoleNeededError (403) unless the caller's role may do an operation, and note the refusal.

    A holder to whom approval is lent passes here; the domain checks whose request it decides on.
    """
    right = needed(operation)
    try:
        if not (right == Right.APPROVE and lent_approval(database, caller)):
            check_right(caller.role, right)
    except RoleNeededError:
        said = {"role": caller.role.value}
        notes.event(_event(EventKind.REFUSED_ROLE, request, caller, operation, said))
        raise


def lent_approval(database: Database, caller: Caller) -> bool:
    """Return whether approval is lent to a caller whose own role may not approve."""
    if caller.may(Right.APPROVE):
        return False
    with database.sessions() as session:
        found = borrows(session, caller)
        end_at_once(session)
    return found


def note_export(request: Request, caller: Caller, notes: Notes, form: str) -> None:
    """Note that a caller asked for a file."""
    notes.event(_event(EventKind.EXPORTED, request, caller, request.url.path, {"format": form}))


def form_of(request: Request, operation: str) -> str | None:
    """Return the form of the file that a request asks for, or None if it asks for none."""
    if operation in IMAGERY:
        return "tiff"
    if operation not in FILES:
        return None
    asked = request.query_params.get("format", wanted_form(None, request.headers.get("accept", "*/*")))
    return asked if asked in MEDIA_TYPES else None


def _event(kind: EventKind, request: Request, caller: Caller, subject: str, said: dict[str, str]) -> Event:
    return Event(kind, caller.workspace_id, caller.key_id, subject, address_of(request), said)
