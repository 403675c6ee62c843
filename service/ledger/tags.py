"""Tags of budgets and orders: your own names and values. An order has those of its budget as well."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Query
from pydantic import AfterValidator, Field

from service.errors import InvalidInputError
from service.web.values import UNPRINTABLE, UNSEEN, Line, SearchText, invalid

MOST_TAGS = 50
NAME_PATTERN = rf"^(?!\s)[^={UNPRINTABLE}{UNSEEN}]*[^=\s{UNPRINTABLE}{UNSEEN}]$"
"""The pattern of a line without "="."""


def read_tag_name(name: str) -> str:
    """Return the name of a tag; refuse one that `tag=NAME=VALUE` could not choose."""
    if "=" in name:
        raise invalid(
            "tag-name-invalid", 'The name of a tag has no "=", because tags are chosen as NAME=VALUE.'
        )
    return name


Tag = Annotated[Line, Field(min_length=1, max_length=100)]
"""Value of a tag, or a cost centre."""
TagName = Annotated[Tag, AfterValidator(read_tag_name), Field(json_schema_extra={"pattern": NAME_PATTERN})]
Tags = Annotated[dict[TagName, Tag], Field(max_length=MOST_TAGS)]
"""Names and values of a budget, a plan or an order."""
TagChanges = Annotated[dict[TagName, Tag | None], Field(max_length=MOST_TAGS)]
"""Tags to set, and tags to remove, whose value is null."""
GivenName = Annotated[Line, Field(min_length=1, max_length=200)]
"""Name that a client gives to a plan or an order."""
ExternalId = Annotated[Line, Field(min_length=1, max_length=200)]
"""Id of a plan or an order in a system of the client."""


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
    return None if tag is None else split_tag(tag)


def split_tag(tag: str) -> dict[str, str]:
    """Return the name and the value of NAME=VALUE; InvalidInputError where one is missing."""
    name, _, value = tag.partition("=")
    if not (name and value):
        raise InvalidInputError("A tag is written as NAME=VALUE.", tag=tag)
    return {name: value}


def changed_tags(tags: Mapping[str, str], changes: Mapping[str, str | None] | None) -> dict[str, str]:
    """Return tags after a merge patch: a value sets one, null removes one, and null for all removes all.

    InvalidInputError for more than MOST_TAGS.
    """
    if changes is None:
        return {}
    kept = {name: value for name, value in {**tags, **changes}.items() if value is not None}
    if len(kept) > MOST_TAGS:
        raise InvalidInputError(f"There would be {len(kept)} tags. At most {MOST_TAGS} are kept.")
    return kept


TagDep = Annotated[dict[str, str] | None, Depends(read_tag)]
CostCenterQuery = Annotated[SearchText | None, Query(max_length=100, description="Cost centre of the order.")]
