"""The OpenAPI document: short operation ids, plain component names, and one component for every error."""

import re
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field

from service.web.paging import page_name

PROBLEM = {"$ref": "#/components/schemas/Problem"}
ANSWERS = {
    200: "The request succeeded.",
    201: "The request succeeded and its result is stored.",
    400: "The request lacks something or is malformed.",
    401: "The API key is missing, unknown or revoked.",
    402: "The budget cannot pay for this.",
    403: "The holder of another key must do this.",
    404: "The workspace has no such thing.",
    409: "The request conflicts with stored data.",
    412: "The data changed since it was read. Read it again, then repeat the change.",
    413: "The body or the raster is too large.",
    415: "The body has another media type than the operation reads.",
    422: "The request is well-formed but cannot be used; `detail` says why.",
    503: "Something that the service needs is busy or missing. Send the request again later.",
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


def operation_id(route: APIRoute) -> str:
    """Name an operation after its function; function names of routes are unique."""
    return route.name


class DocumentedApp(FastAPI):
    """An application whose OpenAPI document is made once and has plain names."""

    def openapi(self) -> dict[str, Any]:
        """Return the document, made at the first call."""
        if self.openapi_schema is None:
            document: dict[str, Any] = _renamed(super().openapi())
            components = document.setdefault("components", {}).setdefault("schemas", {})
            components["Problem"] = Problem.model_json_schema()
            _describe_answers(document)
            for component in components.values():
                _require_no_null(component)
            self.openapi_schema = document
        return self.openapi_schema


def _describe_answers(document: dict[str, Any]) -> None:
    """Describe the answers that no route describes: a plain success, and a request that cannot be read."""
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                if answer["description"] == "Successful Response":
                    answer["description"] = ANSWERS[int(status)]
            headers = [given["name"] for given in operation.get("parameters", ()) if given["in"] == "header"]
            if "requestBody" in operation or "Idempotency-Key" in headers:
                operation["responses"].setdefault("400", problems(400)[400])


def _require_no_null(component: dict[str, Any]) -> None:
    """Require no member that may be null: documents leave out what is null."""
    members = component.get("properties", {})
    required = [
        name
        for name in component.get("required", ())
        if {"type": "null"} not in members.get(name, {}).get("anyOf", ())
    ]
    if "required" in component:
        component["required"] = required


def _renamed(part: Any) -> Any:
    """Give components and the references to them plain names."""
    if isinstance(part, dict):
        return {_plain(name): _renamed(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_renamed(value) for value in part]
    is_reference = isinstance(part, str) and part.startswith("#/components/schemas/")
    return _plain(part) if is_reference else part


def _plain(name: str) -> str:
    """Return a plain name: BudgetPage for Page_BudgetOut_.

    FastAPI splits a model that is read and written differently in two: TierOut-Input becomes TierIn, and
    TierOut-Output becomes TierOut.
    """
    path, slash, name = name.rpartition("/")
    if page := re.fullmatch(r"Page_(\w+)_", name):
        name = page_name(page[1])
    elif name.endswith("-Input"):
        name = f"{name.removesuffix('-Input').removesuffix('Out')}In"
    return path + slash + name.removesuffix("-Output")
