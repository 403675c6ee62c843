"""API keys over HTTP, and what the key of a request is."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from service.access import repository
from service.access.caller import CallerDep
from service.access.ending import close_key, replace_key
from service.access.events import EventKind, page_of_events
from service.access.schemas import AuditEventOut, KeyIn, KeyOut, MeOut, NewKeyOut, RotationIn
from service.access.tables import ApiKey, Workspace
from service.database.engine import SessionDep
from service.web.openapi import problems
from service.web.paging import Page, PageDep, page_links
from service.web.values import YesOrNo

router = APIRouter(prefix="/v1", tags=["keys"], responses=problems(401))
KeyId = Annotated[str, Path(max_length=64, description="Id of the key: the eight letters after `loupe_`.")]


@router.get("/me", summary="Show the workspace, role and expiry of this request's key")
def get_me(caller: CallerDep, session: SessionDep) -> MeOut:
    """Return what the key opens and may do."""
    workspace = session.get_one(Workspace, caller.workspace_id)
    return MeOut.of(workspace, session.get_one(ApiKey, caller.key_id), caller)


@router.get("/keys", summary="List the workspace's API keys, newest first")
def list_api_keys(request: Request, caller: CallerDep, session: SessionDep) -> Page[KeyOut]:
    """Return every key of the workspace without its secret, revoked keys included, on one page."""
    rows = repository.keys_of(session, caller.workspace_id)
    return Page(items=[KeyOut.of(row, caller) for row in rows], links=page_links(request, None))


@router.post("/keys", status_code=201, summary="Create an API key", responses=problems(403, 422))
def create_api_key(wanted: KeyIn, caller: CallerDep, session: SessionDep, response: Response) -> NewKeyOut:
    """Create a further key for the holder of this request's key. The answer shows the key once.

    A key that expires makes only keys that expire by then (403 `key-authority`). A key for a person who
    approves orders is made on the server's machine, with `loupe keys create`.
    """
    made = repository.issue_key(session, caller, wanted.name, wanted.role, wanted.expires_at)
    return _show_once(*made, caller, response)


@router.post(
    "/keys/{key_id}/rotate",
    status_code=201,
    summary="Replace an API key",
    responses=problems(403, 404, 409, 422),
)
def rotate_api_key(
    key_id: KeyId,
    caller: CallerDep,
    session: SessionDep,
    response: Response,
    wanted: RotationIn | None = None,
) -> NewKeyOut:
    """Create a key with the same name and revoke the old one, at once or after `overlap_hours`.

    Every key can replace itself; the key of somebody else needs an admin. The answer shows the new key once,
    which belongs to the holder of this request's key. A key that is not in use answers 409 `key-revoked`, and
    another role for the last admin key answers 409 `last-key` unless `allow_last` is true.
    """
    rotation = (wanted or RotationIn()).rotation()
    made = replace_key(session, caller.workspace_id, key_id, caller, rotation)
    return _show_once(*made, caller, response)


@router.post("/keys/{key_id}/revoke", summary="Revoke an API key", responses=problems(403, 404, 409, 422))
def revoke_api_key(
    key_id: KeyId,
    caller: CallerDep,
    session: SessionDep,
    allow_last: Annotated[
        YesOrNo, Query(description="Revoke the key even if the workspace has no other admin key in use.")
    ] = False,
) -> KeyOut:
    """Close a key for good: its next request answers 401, and dashboard sessions opened with it end.

    Every key can revoke itself; the key of somebody else needs an admin. The last admin key in use answers
    409 `last-key` unless `allow_last` is true. Revoking a key twice is harmless.
    """
    row = close_key(session, caller.workspace_id, key_id, caller, allow_last=allow_last)
    return KeyOut.of(row, caller)


@router.get(
    "/audit",
    name="list_audit",
    response_model_exclude_none=True,
    summary="List the workspace's audit log, newest first",
    responses=problems(422),
)
def list_audit(
    request: Request,
    caller: CallerDep,
    session: SessionDep,
    page: PageDep,
    kind: Annotated[EventKind | None, Query(description="Only events of this kind.")] = None,
) -> Page[AuditEventOut]:
    """List who signed in or was refused, what happened to keys, and what was exported.

    Refusals and exports appear within half a minute, and alike ones are counted in `times`. Keys that nobody
    knows belong to no workspace: the operator of the server sees them with `loupe audit --server`.
    """
    rows, following = page_of_events(session, caller.workspace_id, kind, page)
    return Page(items=[AuditEventOut.of(row) for row in rows], links=page_links(request, following))


def _show_once(key: str, row: ApiKey, caller: repository.Caller, response: Response) -> NewKeyOut:
    response.headers["Cache-Control"] = "no-store"
    return NewKeyOut(**KeyOut.of(row, caller).model_dump(), key=key)
