"""Tags of budgets and orders: your own names and values. An order has those of its budget as well."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Query
from pydantic import Field

from service.errors import InvalidInputError
from service.web.values import Printable

MOST_TAGS = 50
Tag = Annotated[str, Field(min_length=1, max_length=100, pattern=Printable)]
"""Name or value of a tag."""


def merged_tags(budget: Mapping[str, str], order: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of an order with those of its budget. The order's win where both have a name."""
    return {**budget, **order}


def read_tag(
    tag: Annotated[
        str | None,
        Query(
            max_length=201,
            pattern=Printable,
            description="Tag of the order, or else of its budget, as NAME=VALUE.",
            examples=["team=north"],
        ),
    ] = None,
) -> dict[str, str] | None:
    """Read the query parameter that chooses by one tag; 422 without a name or a value."""
    if tag is None:
        return None
    name, _, value = tag.partition("=")
    if not (name and value):
        raise InvalidInputError("A tag is written as NAME=VALUE.", tag=tag)
    return {name: value}


TagDep = Annotated[dict[str, str] | None, Depends(read_tag)]
CostCenterQuery = Annotated[
    str | None, Query(max_length=100, pattern=Printable, description="Cost centre of the order.")
]
