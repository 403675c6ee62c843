"""The caller of a request, from its `Authorization: Bearer` header."""

from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from service.access.repository import Caller, authenticate
from service.database.engine import DatabaseDep
from service.errors import UnauthenticatedError

_bearer = HTTPBearer(auto_error=False, description="an API key, as printed by the first start")


def get_caller(
    database: DatabaseDep, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller:
    """Return who is calling; UnauthenticatedError (401) otherwise.

    Asked in a transaction of its own, so that a long computation before the request's first query
    does not keep a connection.
    """
    if credentials is None:
        raise UnauthenticatedError
    with database.sessions() as session:
        return authenticate(session, credentials.credentials)


CallerDep = Annotated[Caller, Depends(get_caller)]
