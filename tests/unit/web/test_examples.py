"""The recorded examples of the OpenAPI document: one for every answer, and as its schema says."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from service.app import create_app
from service.settings import Settings
from service.web.examples import Example
from service.web.negotiation import GEO_JSON, JSON
from tests.contract.examples import fields, keep_better, shortened

DOCUMENT: dict[str, Any] = create_app(Settings.model_construct()).openapi()
Content = tuple[str, dict[str, Any]]


def described() -> Iterator[Content]:
    """Yield every JSON body and successful JSON answer, with a name."""
    for operations in DOCUMENT["paths"].values():
        for operation in operations.values():
            name = operation["operationId"]
            answers = {
                status: one for status, one in operation["responses"].items() if status.startswith("2")
            }
            for what, one in (answers | {"body": operation.get("requestBody", {})}).items():
                for media_type in {JSON, GEO_JSON} & one.get("content", {}).keys():
                    yield f"{name} {what}", one["content"][media_type]


CONTENTS = list(described())


@pytest.mark.parametrize("content", CONTENTS, ids=[name for name, _ in CONTENTS])
def test_example_obeys_its_schema(content: Content) -> None:
    """An answer that lacks one, or has another form, is recorded by `make examples`."""
    _, described = content
    assert "example" in described
    schema = described["schema"] | {"components": DOCUMENT["components"]}
    jsonschema_rs.validator_for(schema, validate_formats=True).validate(described["example"])


def test_examples_carry_no_secret_and_no_path_of_a_machine() -> None:
    texts = [str(described["example"]) for _, described in CONTENTS]
    assert [text for text in texts if "tmp/" in text or "home/" in text] == []
    assert shortened({"key": "loupe_abcdefgh_0123456789"})["key"] == "loupe_examplek_shown-once"


def test_example_with_most_fields_is_kept_and_of_those_the_shortest() -> None:
    kept: dict[str, dict[str, Example]] = {}
    for answer in ({"a": 1}, {"a": "long", "b": 2}, {"a": 1, "b": 2}, {"a": 1, "b": None}):
        keep_better(kept, {"read": {"200": Example(answer=answer)}})
    assert kept["read"]["200"].answer == {"a": 1, "b": 2}
    assert set(fields({"a": [{"b": 1}, {"c": None}]})) == {"/a/*/b"}


def test_lists_of_objects_are_shortened_and_lists_of_numbers_are_not() -> None:
    value = {"items": [{"n": 1}, {"n": 2}, {"n": 3}], "bands": [1, 2, 3]}
    assert shortened(value) == {"items": [{"n": 1}, {"n": 2}], "bands": [1, 2, 3]}
