"""Examples of bodies and answers in the OpenAPI document: real ones, which tests of the API recorded."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from service.web.negotiation import GEO_JSON, JSON

RECORDED = Path(__file__).with_name("examples.json")
"""Written by `make examples`."""


class Example(BaseModel):
    """An exchange with an operation."""

    model_config = ConfigDict(frozen=True)

    answer: Any = Field(description="JSON body of the answer. Lists are shortened.")
    body: Any = Field(default=None, description="JSON body of the request; null if it sent none, or another.")


Examples = dict[str, dict[str, Example]]
"""Examples by id of the operation, and by status of the answer."""
EXAMPLES: TypeAdapter[Examples] = TypeAdapter(Examples)


@cache
def read_examples() -> Examples:
    """Return the recorded examples."""
    return EXAMPLES.validate_python(json.loads(RECORDED.read_text(encoding="utf-8")))


def show_example(operation: dict[str, Any]) -> None:
    """Add the recorded examples to an operation of an OpenAPI document, where it has none of its own."""
    for status, example in read_examples().get(operation["operationId"], {}).items():
        _add(operation["responses"].get(status, {}), example.answer)
        if example.body is not None:
            _add(operation.get("requestBody", {}), example.body)


def _add(described: dict[str, Any], example: object) -> None:
    content = described.get("content", {})
    for media_type in {JSON, GEO_JSON} & content.keys():
        content[media_type].setdefault("example", example)
