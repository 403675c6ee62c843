"""People over HTTP: who may sign in with the issuer, their roles, and their end.

Adding one is for the server's machine: a person is a new holder, and whoever makes holders could approve what
they ordered themselves (decision records 16 and 43).
"""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from service.access import people
from service.access.caller import CallerDep
from service.access.issuer import issuer_of
from service.access.people_schemas import PersonOut, RoleIn
from service.database.engine import SessionDep
from service.web.openapi import problems
from service.web.paging import Page, page_links
from service.web.values import YesOrNo

router = APIRouter(prefix="/v1/people", tags=["keys"], responses=problems(401))
PersonId = Annotated[str, Path(max_length=64, description="Id of the person, the holder of their keys.")]


@router.get("", summary="List the people of the workspace, newest first")
def list_people(request: Request, caller: CallerDep, session: SessionDep) -> Page[PersonOut]:
    """List everybody who signs in at an issuer, removed people included, on one page.

    People are added on the server's machine with `loupe people add`, or by the claim of their tokens that the
    server is set up for.
    """
    rows = people.people_of(session, caller.workspace_id)
    return Page(items=[PersonOut.of(row) for row in rows], links=page_links(request, None))


@router.post(
    "/{person_id}/role", summary="Give a person another role", responses=problems(403, 404, 409, 422)
)
def change_role(
    request: Request, person_id: PersonId, wanted: RoleIn, caller: CallerDep, session: SessionDep
) -> PersonOut:
    """Change what a person may do, from the next request on; open sessions of the dashboard end.

    Keys that the person made, and that may do more, are revoked. Where tokens give roles, the answer is 409
    `role-from-issuer`. The last admin key in use answers 409 `last-key` unless `allow_last` is true.
    """
    people.check_roles_are_ours(issuer_of(request))
    row = people.change_role(
        session, caller.workspace_id, person_id, wanted.role, caller, allow_last=wanted.allow_last
    )
    return PersonOut.of(row)


@router.post("/{person_id}/remove", summary="Remove a person", responses=problems(403, 404, 409, 422))
def remove_person(
    person_id: PersonId,
    caller: CallerDep,
    session: SessionDep,
    allow_last: Annotated[
        YesOrNo, Query(description="Remove the person even if the workspace has no other admin key in use.")
    ] = False,
) -> PersonOut:
    """End everything of a person, from the next request on: tokens, sessions, and keys that they made.

    What they did stays under their name. Only `loupe people add` on the server's machine lets them in again.
    """
    row = people.remove_person(session, caller.workspace_id, person_id, caller, allow_last=allow_last)
    return PersonOut.of(row)
