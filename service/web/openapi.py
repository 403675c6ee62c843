"""The OpenAPI document: short operation ids, plain component names, and one component for every error."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field

from service.web.answer_headers import describe_headers
from service.web.examples import show_example
from service.web.json_schema import renamed, require_no_null, sent_names

REQUIRED = "x-required"
"""Mark in the schema of a parameter that the framework takes for optional."""
PROBLEM = {"$ref": "#/components/schemas/Problem"}
ANSWERS = {
    200: "The request succeeded.",
    201: "The request succeeded and its result is stored.",
    202: "The request is accepted, and its work is done later.",
    400: "The request lacks something or is malformed.",
    401: "The API key is missing, unknown, revoked or expired.",
    402: "The budget cannot pay for this.",
    403: "The role of the key does not allow this, or the holder of another key must do it.",
    404: "The workspace has no such thing.",
    406: "The header `Accept` allows none of the media types that the operation answers with.",
    409: "The request conflicts with stored data.",
    410: "The pixels that this needs were deleted; `deleted_at` says when, and `deleted_by` with which key.",
    412: "The data changed since it was read. Read it again, then repeat the change.",
    413: "The body or the raster is too large.",
    415: "The body has another media type than the operation reads.",
    422: "The request is well-formed but cannot be used; `detail` says why.",
    429: "The key, its workspace or the address asks for too much at a time. Wait as `Retry-After` says.",
    500: "The server failed, and asking again does not help; its log says why.",
    503: "Something that the service needs is busy or missing. Send the request again later.",
    507: "The workspace has no room left for files or plans.",
}
"""Meaning of each status, for the answers of an operation that has nothing more precise to say."""


class Problem(BaseModel):
    """An error as RFC 9457 describes it. It may carry further members with the offending values."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(
        description="Stable code of the error, for programs to compare.", examples=["/problems/not-found"]
    )
    title: str = Field(description="Name of the kind of error.", examples=["Not found"])
    status: int = Field(description="HTTP status of the answer.", examples=[404])
    detail: str = Field(description="Sentence about this case; its wording may change.")
    instance: str = Field(description="Path of the request.")
    request_id: str | None = Field(
        None, description="Id of the request: the header `X-Request-ID`, and the server's log."
    )


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Declare that an operation may answer these statuses with a problem document."""
    return {
        status: {
            "description": ANSWERS[status],
            "content": {"application/problem+json": {"schema": PROBLEM}},
        }
        for status in statuses
    }


def file_answer_of(media_type: str, description: str) -> dict[str, Any]:
    """Describe the content of an answer that is a file: text, or bytes as they are."""
    schema = {"type": "string", "description": description}
    if not media_type.startswith("text/") and not media_type.endswith("+xml"):
        schema |= {"format": "binary", "contentMediaType": media_type}
    return {media_type: {"schema": schema}}


def operation_id(route: APIRoute) -> str:
    """Name an operation after its function; function names of routes are unique."""
    return route.name


class DocumentedApp(FastAPI):
    """An application whose OpenAPI document is made once and has plain names."""

    roles: Mapping[str, Sequence[str]] = MappingProxyType({})
    """Roles of keys that may do an operation, by its id, for operations that not every key may do."""

    def openapi(self) -> dict[str, Any]:
        """Return the document, made at the first call."""
        if self.openapi_schema is None:
            document: dict[str, Any] = renamed(super().openapi())
            components = document.setdefault("components", {}).setdefault("schemas", {})
            components["Problem"] = Problem.model_json_schema()
            _describe_answers(document)
            _require_marked(document)
            _offer_no_null(document)
            _describe_roles(document, self.roles)
            describe_headers(document)
            for _, operation in _operations(document):
                show_example(operation)
            for name in components.keys() - sent_names(document):
                require_no_null(components[name])
            self.openapi_schema = document
        return self.openapi_schema


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every operation with its path."""
    for path, operations in document["paths"].items():
        for operation in operations.values():
            yield path, operation


def _describe_answers(document: dict[str, Any]) -> None:
    """Describe the answers that no route describes: a plain success, and those of every such operation."""
    for path, operation in _operations(document):
        answers = operation["responses"]
        for status in _usual_answers(path, operation):
            answers.setdefault(str(status), problems(status)[status])
        for status, answer in answers.items():
            if answer["description"] == "Successful Response":
                answer["description"] = ANSWERS[int(status)]


def _usual_answers(path: str, operation: dict[str, Any]) -> Iterator[int]:
    """Yield the statuses with which an operation may answer because of what it reads and where it is."""
    headers = [given["name"] for given in operation.get("parameters", ()) if given["in"] == "header"]
    if path.startswith("/v1/"):
        yield 406
        yield from (429, 503)  # too many requests; the database is away, or the server is busy
    if "requestBody" in operation or "Idempotency-Key" in headers:
        yield 400
    if "requestBody" in operation:
        yield 413  # every body has its largest size
    yield 500


def _require_marked(document: dict[str, Any]) -> None:
    """Require the parameters marked as REQUIRED."""
    for _, operation in _operations(document):
        for parameter in operation.get("parameters", ()):
            if parameter["schema"].pop(REQUIRED, False):
                parameter["required"] = True


def _describe_roles(document: dict[str, Any], roles: Mapping[str, Sequence[str]]) -> None:
    """Say which roles may do an operation that not every key may do, and that it answers 403."""
    for _, operation in _operations(document):
        if allowed := roles.get(operation["operationId"]):
            operation["responses"].setdefault("403", problems(403)[403])
            operation["description"] += f"\n\nRoles that may do this: {', '.join(allowed)}."


def _offer_no_null(document: dict[str, Any]) -> None:
    """Describe a parameter that may be left out by its type: no query or header can say null."""
    for operations in document["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                schema = parameter["schema"]
                match [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]:
                    case [only]:
                        rest = {name: value for name, value in schema.items() if name != "anyOf"}
                        parameter["schema"] = only | rest
