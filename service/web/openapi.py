"""The OpenAPI document: short operation ids, plain component names, and one component for every error."""

import re
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field

from service.web.paging import page_name

PROBLEM = {"$ref": "#/components/schemas/Problem"}


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
            "description": f"{HTTPStatus(status).phrase}.",
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
            self.openapi_schema = document
        return self.openapi_schema


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
