"""Typed answers beside the OpenAPI document of the server, and the two clients beside each other."""

import inspect
import types
import typing
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from loupe import AsyncClient, Client, options
from loupe.answers import (
    account,
    budgets,
    deliveries,
    jobs,
    labels,
    orders,
    plans,
    rounds,
    savings,
    scenes,
    spending,
)
from loupe.answers.base import Link, Money, Part, WarningNote
from loupe.options import WIRE_NAMES
from service.app import create_app
from tests.support.bundles import make_settings

Json = dict[str, Any]
MODULES = (account, budgets, deliveries, jobs, labels, orders, plans, rounds, savings, scenes, spending)
RENAMED = {
    "Budget": "BudgetOut", "Caller": "MeOut", "Classification": "ClassificationOut", "FileOutcome": "FileOut",
    "FilesReceipt": "FilesDeliveryOut", "Job": "JobOut", "Key": "KeyOut", "Money": "MoneyOut",
    "Order": "OrderOut", "PatchOutcome": "PatchOut", "Plan": "PlanOut", "Proposal": "ProposalOut",
    "ProvenLabels": "ProvenLabelsOut",
    "Receipt": "DeliveryOut", "Replan": "ReplanOut", "Savings": "GroupedSavings", "WarningNote": "WarningOut",
    "Workspace": "WorkspaceOut",
}  # fmt: skip
"""Schemas of the OpenAPI document whose answers have another name in the client."""
KINDS = {"str": "string", "datetime": "string", "date": "string", "Decimal": "string", "int": "integer",
         "float": "number", "bool": "boolean", "dict": "object", "tuple": "array"}  # fmt: skip


@cache
def document() -> Json:
    return create_app(make_settings(Path("/nowhere"))).openapi()


def answers() -> list[type[BaseModel]]:
    found = [
        one
        for module in MODULES
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Part) and one.__module__ == module.__name__
    ]
    return [*found, Link, Money, WarningNote]


def schema_of(answer: type[BaseModel]) -> Json:
    found: Json = document()["components"]["schemas"][RENAMED.get(answer.__name__, answer.__name__)]
    return found


def forms(schema: Json) -> list[Json]:
    """Return the forms that a value may have, with references resolved."""
    if "$ref" in schema:
        return forms(document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    several = schema.get("anyOf") or schema.get("oneOf")
    return [form for one in several for form in forms(one)] if several else [schema]


def kinds_of(annotation: Any) -> set[str]:
    """Return the JSON types that a field of the client can be read from."""
    if annotation is Any:
        return {"string", "integer", "number", "boolean", "object", "array", "null"}
    if isinstance(annotation, types.UnionType):
        return set().union(*(kinds_of(one) for one in typing.get_args(annotation)))
    if annotation is type(None):
        return {"null"}
    bare = typing.get_origin(annotation) or annotation
    return {"object"} if issubclass(bare, BaseModel) else {KINDS[bare.__name__]}


def faults(name: str, field: FieldInfo, schema: Json) -> list[str]:
    """Return what the server may send in a field and the client cannot read."""
    place = field.alias or name
    if place not in schema["properties"]:
        return [f"{place} is not in the API"]
    sent = {
        "null" if form.get("type") == "null" else form.get("type", "string")
        for form in forms(schema["properties"][place])
        if "type" in form or "enum" in form
    }
    read = kinds_of(field.annotation)
    read |= {"integer"} if "number" in read else set()
    found = [f"{place} may be {kind}" for kind in sorted(sent - read)]
    if field.is_required() and place not in schema.get("required", []):
        found.append(f"{place} may be left out")
    return found


@pytest.mark.parametrize("answer", answers(), ids=lambda answer: answer.__name__)
def test_client_reads_whatever_the_api_sends(answer: type[BaseModel]) -> None:
    schema = schema_of(answer)

    assert [
        fault for name, field in answer.model_fields.items() for fault in faults(name, field, schema)
    ] == []


@pytest.mark.parametrize("answer", answers(), ids=lambda answer: answer.__name__)
def test_client_names_every_field_of_the_api(answer: type[BaseModel]) -> None:
    known = {field.alias or name for name, field in answer.model_fields.items()}
    # A plan never has a realised saving: the reports have it.
    left_out = {"PlanSavings": {"realised"}}.get(answer.__name__, set())

    assert set(schema_of(answer)["properties"]) - known == left_out


OPTIONS = {
    options.PlanOptions: ("post", "/v1/plans"),
    options.PlanFilters: ("get", "/v1/plans"),
    options.OrderFilters: ("get", "/v1/orders"),
    options.ReportOptions: ("get", "/v1/reports/savings"),
    options.ReportFilters: ("get", "/v1/reports/spend"),
    options.DeliveryOptions: ("put", "/v1/orders/{order_id}/deliveries"),
    options.PatchDeliveryOptions: ("put", "/v1/orders/{order_id}/tiles/{tile}/patches/{patch}"),
    options.ReplanOptions: ("post", "/v1/plans/{plan_id}/replan"),
    options.NextRoundOptions: ("post", "/v1/orders/{order_id}/next-round"),
    options.OrderOptions: ("post", "/v1/orders"),
    options.BudgetOptions: ("post", "/v1/budgets"),
    options.BudgetChanges: ("patch", "/v1/budgets/{budget_id}"),
}
NOT_OPTIONS = {
    "limit", "cursor", "format", "accept", "prefer", "if-match", "Idempotency-Key", "order_id", "plan_id",
    "tile", "patch", "budget_id",
}  # fmt: skip
"""Parameters that the client sets, or that are arguments of their own."""
APART = {
    options.BudgetOptions: {"name"},
    options.OrderOptions: {"plan", "budget"},
    options.ReportFilters: {"group_by", "step"},  # they make another report of the charges
}


@pytest.mark.parametrize("given", OPTIONS, ids=lambda given: given.__name__)
def test_options_are_those_of_the_api(given: type) -> None:
    method, path = OPTIONS[given]
    operation = document()["paths"][path][method]
    taken = {one["name"] for one in operation.get("parameters", []) if "name" in one}
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None:
        taken |= set(forms(body["schema"])[0]["properties"])
    names = {WIRE_NAMES.get(name, name) for name in typing.get_type_hints(given)}
    if given is options.PlanOptions:
        names = names - {"tags"} | {"tag"}

    assert names <= taken
    assert taken - names - NOT_OPTIONS == APART.get(given, set())


def public_methods(client: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(method)
        for name, method in inspect.getmembers(client, inspect.isfunction)
        if not name.startswith("_")
    }


def test_both_clients_have_the_same_methods_and_arguments() -> None:
    blocking, awaited = public_methods(Client), public_methods(AsyncClient)

    assert blocking.keys() == awaited.keys()
    assert len(blocking) > 35
    for name, signature in blocking.items():
        assert str(signature.parameters) == str(awaited[name].parameters), name
