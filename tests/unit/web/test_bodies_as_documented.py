"""Members of JSON bodies: each takes the values that the OpenAPI document allows, and no other."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema_rs
import pytest
from pydantic import BaseModel, ValidationError

from service.app import create_app
from service.invoices.schemas import InvoiceIn
from service.truth.schemas import TruthIn
from service.web.json_schema import renamed, sent_names
from tests.support.bundles import make_settings

Json = dict[str, Any]
READ_BY_ROUTES = (InvoiceIn, TruthIn)
"""Bodies that a dependency reads, so that no route declares them."""
MARKS = ("\x00", "\x1f", "\x7f", "\x85", "\u2028", "\u202e", "\u2069", "\u00ad", "\u200b", "\ufeff")
TEXTS = (
    "", " ", "0", "1", "3.0", "-1", "1e3", "12.50", "0.123456789012", "true", "null", "a", "A", " a", "a ",
    "USD", "usd", "XXX", "QQQ", "refund", "viewer", "label", "2026-11", "2026-13", "2026-11-02", "2026-02-30",
    "2026-11-02T00:00:00Z", "2026-11-02T00:00:00", str(UUID(int=7)), "7" * 64, "a" * 300, "a" * 2_000,
    "labels:0.05", "objects:1.8", "labels:1.0", "3,2,1",
    "äöü", "\U0001f6f0", *(f"a{mark}b" for mark in MARKS),
)  # fmt: skip
NUMBERS = (0, 1, -1, 3.0, 3.5, -0.5, 7, 50.0, 1e30, 2**31, 2**63, 10**30, -(10**30))
OTHERS: tuple[Any, ...] = (
    None, True, False, [], [None], [1], [50.0], ["a"], ["1"], [True], [[]], [{}], {}, {"a": None}, {"a": 1},
    {"a": "b"}, {"a=b": "c"}, *({f"a{mark}b": "c"} for mark in MARKS), {"amount": "1", "currency": "USD"},
    {"amount": 1, "currency": "USD"}, {"amount": "1", "currency": "XXX"}, {"amount": None, "currency": "USD"},
)  # fmt: skip
BOUNDS = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}
"""Faults of numbers in texts, which no pattern describes well, and of which the description tells."""


def models() -> dict[str, type[BaseModel]]:
    """Return every model of a JSON body by its name, with those inside it."""
    document = create_app(make_settings(Path("/nowhere"))).openapi()
    classes = {one.__name__: one for one in subclasses(BaseModel) if one.__module__.startswith("service.")}
    names = {name.replace("TierIn", "TierOut") for name in sent_names(document)}
    found = {name: classes[name] for name in names & classes.keys()}
    return found | {one.__name__: one for one in READ_BY_ROUTES}


def subclasses(parent: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield the classes below a class."""
    for child in parent.__subclasses__():
        yield child
        yield from subclasses(child)


MODELS = dict(sorted(models().items()))


def faults(model: type[BaseModel], name: str, value: Any) -> set[str]:
    """Return the codes of the faults of a member, whatever the others have."""
    try:
        model.model_validate({name: value})
    except ValidationError as error:
        return {one["type"] for one in error.errors() if one["loc"][:1] == (name,)}
    return set()


@pytest.mark.parametrize("name", MODELS)
def test_members_take_what_the_document_allows(name: str) -> None:
    schema = renamed(json.loads(json.dumps(MODELS[name].model_json_schema())))
    differing = []
    for member, rules in schema["properties"].items():
        whole = rules | {"$defs": schema.get("$defs", {})}
        validator = jsonschema_rs.validator_for(whole, validate_formats=True)
        for value in (*NUMBERS, *TEXTS, *OTHERS):
            found, allowed = faults(MODELS[name], member, value), validator.is_valid(value)
            is_bound = isinstance(value, str) and bool(found) and found <= BOUNDS
            if allowed == bool(found) and not is_bound:
                differing.append((member, value, found or "is taken"))

    assert differing == []


@pytest.mark.parametrize("name", MODELS)
def test_bodies_refuse_members_that_they_do_not_know(name: str) -> None:
    assert faults(MODELS[name], "price_per_acre", None) == {"extra_forbidden"}


def test_every_body_of_the_document_is_tried() -> None:
    known = {"AdjustmentIn", "BudgetIn", "InvoiceIn", "MoneyIn", "PriceListIn", "ReplanIn", "TierOut"}
    assert known <= MODELS.keys()
    assert len(MODELS) >= 20
