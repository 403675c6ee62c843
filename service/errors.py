"""Errors and warnings that a caller can act on; HTTP answers errors as problem documents (RFC 9457).

Domain code raises them and knows nothing of HTTP beyond the status declared on the class;
`service.web.problems` turns them into `application/problem+json`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self


class LoupeError(Exception):
    """Base of every error that a caller can act on.

    `detail` is a sentence in the user's terms that says what to do next; `extra` holds the offending values
    and becomes members of the problem document.
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

    def answer_headers(self) -> Mapping[str, str]:
        """Return the headers of an answer that states this error."""
        return self.headers

    def without_frames(self) -> Self:
        """Drop the traceback and the causes, whose frames hold the pixels of the refused file."""
        self.__traceback__ = self.__context__ = self.__cause__ = None
        return self


@dataclass(frozen=True, kw_only=True)
class LoupeWarning:
    """A doubt about something that is carried out all the same; answers and pages show it.

    `code` is stable, `detail` is a sentence in the user's terms that says what to do, and `figures` holds the
    numbers that led to it.
    """

    code: str
    detail: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as documents and rows hold them."""
        return {"code": self.code, "detail": self.detail, "figures": dict(self.figures)}


class UnauthenticatedError(LoupeError):
    """A request without a key, or with an unknown or revoked one; the answer does not tell which."""

    status = 401
    code = "unauthenticated"
    title = "A valid API key is needed"
    headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": 'Bearer realm="loupe"'}

    def __init__(self) -> None:
        super().__init__("Send a valid API key in the header 'Authorization: Bearer KEY'.")


class NotFoundError(LoupeError):
    """An object that does not exist in the caller's workspace."""

    status = 404
    code = "not-found"
    title = "Not found"


class ConflictError(LoupeError):
    """A request that conflicts with stored data."""

    status = 409
    code = "conflict"
    title = "The request conflicts with stored data"


class MediaTypeError(LoupeError):
    """A body of a media type that the operation does not take."""

    status = 415
    code = "unsupported-media-type"
    title = "The body has another media type"


class InvalidInputError(LoupeError):
    """A request that is well-formed but cannot be used."""

    status = 422
    code = "invalid-input"
    title = "The request cannot be used"


class UnavailableError(LoupeError):
    """A part that the service needs and that is not available at the moment."""

    status = 503
    code = "unavailable"
    title = "The service cannot answer right now"
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "2"}
