"""Decimals of price lists: exact numbers, which JSON should write as texts so that no float rounds them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer
from pydantic.config import JsonDict

from service.web.values import read_exact

Exact = Annotated[
    Decimal,
    BeforeValidator(read_exact),
    PlainSerializer(lambda value: f"{value.normalize():f}", return_type=str, when_used="json"),
]
"""A decimal written without exponent or trailing zeros."""


def _as_text(places: int) -> Callable[[JsonDict], None]:
    """Return the change of a schema that gives the text of a number its pattern."""

    def add_pattern(schema: JsonDict) -> None:
        branches = schema.get("anyOf")
        for branch in branches if isinstance(branches, list) else ():
            if isinstance(branch, dict) and branch.get("type") == "string":
                branch["pattern"] = rf"^[0-9]{{1,15}}(\.[0-9]{{1,{places}}})?$"

    return add_pattern


Hundredths = Annotated[Exact, Field(decimal_places=2, json_schema_extra=_as_text(2))]
Thousandths = Annotated[Exact, Field(decimal_places=3, json_schema_extra=_as_text(3))]
Millionths = Annotated[Exact, Field(decimal_places=6, json_schema_extra=_as_text(6))]
