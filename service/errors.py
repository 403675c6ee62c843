"""What can go wrong, and how HTTP says it: RFC 9457 problem documents with a stable type.

Domain code raises these and knows nothing of HTTP beyond the status declared on the class;
`service.web.problems` turns them into `application/problem+json`.
"""

from collections.abc import Mapping
from typing import ClassVar


class LoupeError(Exception):
    """Base of every error a caller can do something about.

    `detail` is a sentence in the user's words; `extra` holds the offending values and becomes
    members of the problem document.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad-request"
    title: ClassVar[str] = "The request cannot be carried out"
    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, detail: str, **extra: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra

    def problem(self) -> Mapping[str, object]:
        """Return the RFC 9457 document; `type` is stable, `detail` may be reworded."""
        return {
            "type": f"/problems/{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.extra,
        }


class UnauthenticatedError(LoupeError):
    """No key, an unknown key or a revoked one: the answer is the same, so that it teaches nothing."""

    status = 401
    code = "unauthenticated"
    title = "A valid API key is needed"
    headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": 'Bearer realm="loupe"'}

    def __init__(self) -> None:
        super().__init__("Send an API key as 'Authorization: Bearer KEY'.")


class NotFoundError(LoupeError):
    """The thing does not exist in the caller's workspace."""

    status = 404
    code = "not-found"
    title = "Not found"


class ConflictError(LoupeError):
    """The request contradicts what is already recorded."""

    status = 409
    code = "conflict"
    title = "This contradicts what is already recorded"


class InvalidInputError(LoupeError):
    """The request is well-formed but cannot be used."""

    status = 422
    code = "invalid-input"
    title = "The request cannot be used"


class UnavailableError(LoupeError):
    """Something the service needs is not there at the moment."""

    status = 503
    code = "unavailable"
    title = "The service cannot answer right now"
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "2"}
