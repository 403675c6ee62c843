"""Tags of budgets and orders: your own names and values. An order has those of its budget as well."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Query
from pydantic import AfterValidator, Field

from service.errors import InvalidInputError
from service.web.values import Line, SearchText, invalid

MOST_TAGS = 50


def read_tag_name(name: str) -> str:
    """Return the name of a tag; refuse one that `tag=NAME=VALUE` could not choose."""
    if "=" in name:
        raise invalid(
            "tag-name-invalid", 'The name of a tag has no "=", because tags are chosen as NAME=VALUE.'
        )
    return name


Tag = Annotated[Line, Field(min_length=1, max_length=100)]
"""Value of a tag, or a cost centre."""
TagName = Annotated[Tag, AfterValidator(read_tag_name)]


def merged_tags(budget: Mapping[str, str], order: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of an order with those of its budget. The order's win where both have a name."""
    return {**budget, **order}


def read_tag(
    tag: Annotated[
        SearchText | None,
        Query(
            max_length=201,
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
CostCenterQuery = Annotated[SearchText | None, Query(max_length=100, description="Cost centre of the order.")]
