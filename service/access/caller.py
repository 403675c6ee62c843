"""The caller of a request, from its `Authorization: Bearer` header."""

from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from service.access.repository import Caller, authenticate
from service.database.engine import Database
from service.errors import UnauthenticatedError

_bearer = HTTPBearer(auto_error=False, description="an API key, as printed by the first start")


def get_caller(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller:
    """Return who is calling; UnauthenticatedError (401) otherwise.

    Asked in a transaction of its own, so that a long computation before the request's first query
    does not keep a connection.
    """
    if credentials is None:
        raise UnauthenticatedError
    database = cast(Database, request.state.database)
    with database.sessions() as session:
        return authenticate(session, credentials.credentials)


CallerDep = Annotated[Caller, Depends(get_caller)]
