"""API keys over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from service.access import repository
from service.access.caller import CallerDep
from service.access.schemas import KeyIn, KeyOut, NewKeyOut
from service.access.tables import ApiKey
from service.database.engine import SessionDep
from service.web.openapi import problems
from service.web.paging import Page, page_links
from service.web.values import YesOrNo

router = APIRouter(prefix="/v1/keys", tags=["keys"], responses=problems(401))
KeyId = Annotated[str, Path(max_length=64, description="Id of the key: the eight letters after `loupe_`.")]


@router.get("", summary="List the workspace's API keys, newest first")
def list_api_keys(request: Request, caller: CallerDep, session: SessionDep) -> Page[KeyOut]:
    """Return every key of the workspace without its secret, revoked keys included, on one page."""
    rows = repository.keys_of(session, caller.workspace_id)
    return Page(items=[KeyOut.of(row, caller) for row in rows], links=page_links(request, None))


@router.post("", status_code=201, summary="Create an API key", responses=problems(422))
def create_api_key(wanted: KeyIn, caller: CallerDep, session: SessionDep, response: Response) -> NewKeyOut:
    """Create a further key for the holder of this request's key. The answer shows the key once.

    A key for a person who approves orders is made on the server's machine, with `loupe keys create`.
    """
    return _show_once(*repository.issue_key(session, caller, wanted.name), caller, response)


@router.post(
    "/{key_id}/rotate", status_code=201, summary="Replace an API key", responses=problems(404, 409, 422)
)
def rotate_api_key(key_id: KeyId, caller: CallerDep, session: SessionDep, response: Response) -> NewKeyOut:
    """Create a key with the same name and revoke the old one at once. The answer shows the new key once.

    The new key belongs to the holder of this request's key. A revoked key answers 409 `key-revoked`.
    """
    made = repository.replace_key(session, caller.workspace_id, key_id, caller.holder)
    return _show_once(*made, caller, response)


@router.post("/{key_id}/revoke", summary="Revoke an API key", responses=problems(404, 409, 422))
def revoke_api_key(
    key_id: KeyId,
    caller: CallerDep,
    session: SessionDep,
    allow_last: Annotated[
        YesOrNo, Query(description="Revoke the key even if the workspace has no other one in use.")
    ] = False,
) -> KeyOut:
    """Close a key for good: its next request answers 401, and dashboard sessions opened with it end.

    The last key in use answers 409 `last-key` unless `allow_last` is true. Revoking a key twice is harmless.
    """
    row = repository.close_key(session, caller.workspace_id, key_id, allow_last=allow_last)
    return KeyOut.of(row, caller)


def _show_once(key: str, row: ApiKey, caller: repository.Caller, response: Response) -> NewKeyOut:
    response.headers["Cache-Control"] = "no-store"
    return NewKeyOut(**KeyOut.of(row, caller).model_dump(), key=key)
