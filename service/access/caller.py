"""The caller of a request, from its `Authorization: Bearer` header."""

from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from service.access.repository import Caller, authenticate
from service.database.durability import end_at_once
from service.database.engine import DatabaseDep
from service.errors import UnauthenticatedError

_bearer = HTTPBearer(
    auto_error=False,
    description="An API key. The first start of the server prints one; `loupe keys create` makes others.",
)


def get_caller(
    database: DatabaseDep, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller:
    """Return the caller; UnauthenticatedError (401) without a valid key.

    It is looked up in a short session of its own, so that no connection is held while the request computes.
    """
    if credentials is None:
        raise UnauthenticatedError
    with database.sessions() as session:
        caller = authenticate(session, credentials.credentials)
        end_at_once(session)
        return caller


CallerDep = Annotated[Caller, Depends(get_caller)]
