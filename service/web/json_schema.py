"""Schemas of the OpenAPI document in JSON Schema's words: plain names, and rules that clients can check."""

import re
from typing import Any

from service.web.paging import page_name

BOUNDS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
"""Bounds of numbers as pydantic writes them where a validator reads first, and as JSON Schema does."""


def require_no_null(component: dict[str, Any]) -> None:
    """Require no member of an answer that may be null: answers leave out what is null."""
    members = component.get("properties", {})
    required = [
        name
        for name in component.get("required", ())
        if {"type": "null"} not in members.get(name, {}).get("anyOf", ())
    ]
    if "required" in component:
        component["required"] = required


def renamed(part: Any) -> Any:
    """Give components and the references to them plain names, and rules of values those of JSON Schema."""
    if isinstance(part, dict):
        return _stated({_word(name, value): renamed(value) for name, value in part.items()})
    if isinstance(part, list):
        return [renamed(value) for value in part]
    is_reference = isinstance(part, str) and part.startswith("#/components/schemas/")
    return _plain(part) if is_reference else part


def _word(name: str, value: Any) -> str:
    """Return the name of a member: plain for a component, and JSON Schema's own for a bound."""
    return _plain(name) if isinstance(value, dict) else BOUNDS.get(name, name)


def sent_names(document: dict[str, Any]) -> set[str]:
    """Return the names of the components that bodies of requests refer to, directly or not."""
    components = document["components"]["schemas"]
    waiting = [
        operation.get("requestBody") for path in document["paths"].values() for operation in path.values()
    ]
    found: set[str] = set()
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            name = str(part.get("$ref", "")).rpartition("/")[2]
            if name in components and name not in found:
                found.add(name)
                waiting.append(components[name])
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return found


def _stated(schema: dict[str, Any]) -> dict[str, Any]:
    """Write rules as JSON Schema that pydantic writes as keywords of its own, which exclude nothing."""
    if "patternProperties" in schema and "additionalProperties" not in schema:
        ((pattern, values),) = schema.pop("patternProperties").items()
        schema["propertyNames"] = schema.get("propertyNames", {}) | {"pattern": pattern}
        schema["additionalProperties"] = values
    schema.pop("decimal_places", None)  # the text of a number has a pattern
    return schema


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
