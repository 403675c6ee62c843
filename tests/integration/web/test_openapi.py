"""The OpenAPI document: plain names, one component for every error, and a description of everything."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.app import create_app
from service.web.json_schema import BOUNDS
from tests.support.bundles import make_settings

PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
Json = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Json:
    """Return the document as a client gets it."""
    made: Json = json.loads(json.dumps(create_app(make_settings(Path("/nowhere"))).openapi()))
    return made


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    """Yield every operation with its method and path."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def references(part: Any) -> Iterator[str]:
    """Yield every reference to a component's schema."""
    if isinstance(part, dict):
        target = part.get("$ref")
        if isinstance(target, str) and target.startswith("#/components/schemas/"):
            yield target.removeprefix("#/components/schemas/")
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def is_sentence(text: str) -> bool:
    """Return whether a text begins with a capital or code and ends with a full stop."""
    return re.fullmatch(r"[A-Z0-9`].*[.:]", text.strip(), re.DOTALL) is not None


def test_component_names_are_plain(document: Json) -> None:
    names = set(document["components"]["schemas"])

    assert [name for name in names if "__" in name or not re.fullmatch(r"[A-Z][A-Za-z]+", name)] == []
    assert set(references(document)) == names


def test_operation_ids_are_unique_function_names(document: Json) -> None:
    ids = [operation["operationId"] for _, operation in operations(document)]

    assert [one for one in ids if "__" in one or not re.fullmatch(r"[a-z][a-z_]+", one)] == []
    assert len(ids) == len(set(ids))


def test_every_error_refers_to_one_problem_component(document: Json) -> None:
    inlined = [
        (name, status)
        for name, operation in operations(document)
        for status, answer in operation["responses"].items()
        if status[0] in "45" and answer.get("content") != PROBLEM
    ]

    assert inlined == [("GET /readyz", "503")]  # the same document as that of 200


def test_every_operation_has_a_summary_and_a_description(document: Json) -> None:
    bare = [
        name
        for name, operation in operations(document)
        if not is_sentence(operation.get("description", "")) or not own_summary(operation)
    ]

    assert bare == []


def own_summary(operation: Json) -> bool:
    """Return whether a person wrote the summary: by default FastAPI derives it from the function's name."""
    summary = str(operation["summary"])
    made = operation["operationId"].replace("_", " ").title()
    return summary != made and summary[0].isupper() and not summary.endswith(".")


def test_every_parameter_is_described(document: Json) -> None:
    bare = [
        (name, parameter["name"])
        for name, operation in operations(document)
        for parameter in operation.get("parameters", [])
        if not is_sentence(parameter.get("description", ""))
    ]

    assert bare == []


def test_every_field_is_described(document: Json) -> None:
    bare = [
        (name, field)
        for name, schema in document["components"]["schemas"].items()
        for field, value in schema.get("properties", {}).items()
        if not is_sentence(value.get("description", ""))
    ]

    assert bare == []


def schemas(part: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every schema of the document with its place: of bodies, answers, parameters and members."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name in {"schema", "items", "additionalProperties"}:
                yield f"{place}/{name}", value
            elif name == "properties":
                yield from ((f"{place}/{member}", schema) for member, schema in value.items())
            yield from schemas(value, f"{place}/{name}")
    elif isinstance(part, list):
        for number, value in enumerate(part):
            yield from schemas(value, f"{place}/{number}")


def test_no_schema_is_empty(document: Json) -> None:
    """Of a schema that only names things /docs shows no field, and a client can check nothing."""
    names = {"title", "description", "examples"}
    found = list(schemas(without_examples(document)))

    assert len(found) > 1000
    assert [place for place, one in found if isinstance(one, dict) and one.keys() <= names] == []


def without_examples(part: Any) -> Any:
    """Return a part of the document without examples and defaults, whose members are no schemas."""
    if isinstance(part, dict):
        left = {name: value for name, value in part.items() if name not in {"example", "default"}}
        return {name: without_examples(value) for name, value in left.items()}
    return [without_examples(one) for one in part] if isinstance(part, list) else part


def test_every_form_of_every_answer_is_described(document: Json) -> None:
    bare = [
        (name, status, media_type)
        for name, operation in operations(document)
        for status, answer in operation["responses"].items()
        for media_type, content in answer.get("content", {}).items()
        if "schema" not in content
        or (content["schema"].get("type") == "string" and not is_sentence(content["schema"]["description"]))
    ]

    assert bare == []


def test_every_answer_is_described(document: Json) -> None:
    bare = [
        (name, status)
        for name, operation in operations(document)
        for status, answer in operation["responses"].items()
        if status[0] in "45" and not is_sentence(answer["description"])
    ]

    assert bare == []


def test_every_answer_is_described_in_a_sentence(document: Json) -> None:
    phrases = {
        (name, status, answer["description"])
        for name, operation in operations(document)
        for status, answer in operation["responses"].items()
        if answer["description"] == "Successful Response" or not is_sentence(answer["description"])
    }

    assert phrases == set()


def test_answers_require_no_member_that_may_be_null_and_bodies_may(document: Json) -> None:
    """Answers leave out what is null. The days of PUT /v1/retention are null for ever, and must be sent."""
    required = {
        f"{name}.{member}"
        for name, schema in document["components"]["schemas"].items()
        for member in schema.get("required", ())
        if {"type": "null"} in schema["properties"][member].get("anyOf", ())
    }

    assert required == {"RetentionDays.scene_days", "RetentionDays.delivery_days"}


def test_every_operation_that_reads_a_body_or_a_key_documents_400(document: Json) -> None:
    reading = [
        (name, operation)
        for name, operation in operations(document)
        if "requestBody" in operation
        or any(given["name"] == "Idempotency-Key" for given in operation.get("parameters", ()))
    ]

    assert len(reading) > 10
    assert [name for name, operation in reading if "400" not in operation["responses"]] == []
    assert [name for name, one in reading if "requestBody" in one and "413" not in one["responses"]] == []


def test_forms_of_files_name_all_of_their_fields(document: Json) -> None:
    bodies = [
        operation.get("requestBody", {}).get("content", {})
        for path in document["paths"].values()
        for operation in path.values()
    ]
    forms = [body["multipart/form-data"]["schema"] for body in bodies if "multipart/form-data" in body]
    assert forms
    assert [form["additionalProperties"] for form in forms] == [False] * len(forms)


def test_every_group_of_operations_is_described(document: Json) -> None:
    described = {tag["name"]: tag["description"] for tag in document["tags"]}
    used = {tag for _, operation in operations(document) for tag in operation["tags"]}

    assert set(described) == used
    assert [name for name, sentence in described.items() if not is_sentence(sentence)] == []


def test_every_header_of_an_answer_is_described(document: Json) -> None:
    components = document["components"]["headers"]
    bare = [
        (name, status, header)
        for name, operation in operations(document)
        for status, answer in operation["responses"].items()
        for header, value in answer["headers"].items()
        if not is_sentence(
            (components[header] if value.get("$ref", "").endswith(header) else value)["description"]
        )
    ]

    assert bare == []
    assert len(components) > 5


def test_every_list_documents_its_links_as_a_header(document: Json) -> None:
    lists = {
        name: operation["responses"]["200"]["headers"]
        for name, operation in operations(document)
        if str(operation["responses"].get("200", {}).get("content", {})).count("Page'}")
    }

    assert len(lists) > 15
    assert [name for name, headers in lists.items() if "Link" not in headers] == []


def test_no_parameter_may_be_null(document: Json) -> None:
    nullable = [
        (name, parameter["name"])
        for name, operation in operations(document)
        for parameter in operation.get("parameters", [])
        if {"type": "null"} in parameter["schema"].get("anyOf", ())
    ]

    assert nullable == []


def members(part: Any) -> Iterator[tuple[str, Any]]:
    """Yield every member of every object of the document."""
    if isinstance(part, dict):
        yield from part.items()
    for value in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from members(value)


def test_bounds_are_written_as_json_schema_knows_them(document: Json) -> None:
    """Clients take no notice of `le`, which pydantic writes where a validator reads first."""
    assert [one for one in members(document) if one[0] in BOUNDS and not isinstance(one[1], dict)] == []
    accuracy = document["components"]["schemas"]["ReplanIn"]["properties"]["target_accuracy"]["anyOf"][0]
    assert accuracy == {"type": "number", "exclusiveMinimum": 0, "maximum": 1}


def test_operations_that_spend_money_require_their_key(document: Json) -> None:
    requiring = {
        name
        for name, operation in operations(document)
        for parameter in operation.get("parameters", ())
        if (parameter["name"], parameter["required"]) == ("Idempotency-Key", True)
    }
    assert requiring == {"POST /v1/orders", "POST /v1/ledger/adjustments"}
