"""The reference of the HTTP API, made from its OpenAPI document."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from docs.site.markdown import anchor, cell, code, prose, table
from docs.site.shapes import shape
from service.app import create_app
from service.settings import Settings

Json = dict[str, Any]


@cache
def document() -> Json:
    """Return the OpenAPI document of a server with the default settings."""
    made: Json = create_app(Settings.model_construct()).openapi()
    return made


def operations() -> Iterator[tuple[str, Json]]:
    """Yield method and path of every operation, such as `GET /v1/plans`, with the operation."""
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def operations_page() -> str:
    """Return the page with a table of all operations, and a section for each."""
    parts = [
        "# HTTP operations",
        document()["info"]["description"].strip().replace("](/problems)", "](problems.md)"),
        "A running server has the same at `/docs`, where requests can be tried, and the document that this "
        "page is made from at `/openapi.json`. The fields of bodies and answers are on [a page of their own]"
        "(schemas.md).",
    ]
    for tag in document()["tags"]:
        parts += _group(tag)
    return "\n\n".join(parts) + "\n"


def _group(tag: Json) -> Iterator[str]:
    found = [(name, one) for name, one in operations() if tag["name"] in one["tags"]]
    yield f"## {tag['name']}"
    yield tag["description"]
    rows = [(f"[{code(name)}](#{anchor(name)})", cell(one["summary"])) for name, one in found]
    yield table(("Operation", "Purpose"), rows)
    for name, one in found:
        yield from _section(name, one)


def _section(name: str, operation: Json) -> Iterator[str]:
    yield f"### {name}"
    yield prose(operation["description"])
    given = [_parameter(one) for one in operation.get("parameters", [])]
    yield table(("Parameter", "In", "Values", "Meaning"), given)
    sent = operation.get("requestBody", {}).get("content", {})
    yield table(
        ("Body", "Content"), [(code(media), shape(one.get("schema", {}))) for media, one in sent.items()]
    )
    yield table(("Answer", "Content", "Meaning"), _answers(operation))


def _parameter(given: Json) -> tuple[str, str, str, str]:
    required = ", required" if given.get("required") else ""
    return code(given["name"]) + required, given["in"], shape(given["schema"]), cell(given.get("description"))


def _answers(operation: Json) -> Iterator[tuple[str, str, str]]:
    for status, answer in operation["responses"].items():
        kinds = [_content(media, one) for media, one in answer.get("content", {}).items()]
        yield status, "<br>".join(dict.fromkeys(kinds)), cell(answer["description"])


def _content(media: str, given: Json) -> str:
    found = shape(given.get("schema", {}))
    return found if media in ("application/json", "application/problem+json") and found else code(media)


def schemas_page() -> str:
    """Return the page with a section for each schema of a body or an answer, in alphabetical order."""
    schemas = document()["components"]["schemas"]
    return "\n\n".join(
        ["# Fields of bodies and answers", *(_schema(name, schemas[name]) for name in sorted(schemas))]
    )


def _schema(name: str, schema: Json) -> str:
    required = set(schema.get("required", []))
    rows = [
        (code(field) + (", required" if field in required else ""), shape(one), cell(one.get("description")))
        for field, one in schema.get("properties", {}).items()
    ]
    own = "" if rows else f"Values: {shape({**schema, 'description': ''})}."
    parts = [f"## {name}", prose(schema.get("description")), own, table(("Field", "Values", "Meaning"), rows)]
    return "\n\n".join(part for part in parts if part)
