"""Headers of answers, as the OpenAPI document describes them."""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

HEADERS = {
    "Cache-Control": "Seconds for which the answer may be kept. Only on what never changes, such as a plan.",
    "ETag": "Version of what the answer shows, to send back in `If-Match` or `If-None-Match`.",
    "Idempotency-Replayed": "`true` if the answer is that of an earlier request with the same key.",
    "Link": "The document's links (RFC 8288): `next` leads to the next page, and is absent on the last one.",
    "Location": "Address of what the request made.",
    "RateLimit": "Requests that remain of each quota (`r`), and seconds until it is full again (`t`).",
    "RateLimit-Policy": "Quotas that the request counts for: requests (`q`) in a window of seconds (`w`).",
    "Retry-After": "Seconds to wait before the next request.",
    "X-Request-ID": "Id of the request: the one that was sent, if it is harmless, or a new one.",
}
"""Meaning of each header; an operation that knows better describes its own."""
_ADDRESSED = {
    "classify_order", "create_order", "open_budget", "plan_next_round", "plan_scene", "publish_price_list",
    "replan_scene",
}  # fmt: skip
_VERSIONED = {("open_budget", "201"), ("change_budget", "200")}


def describe_headers(document: Json) -> None:
    """Describe the headers of every answer: components, and references to them."""
    document["components"]["headers"] = {
        name: {"description": sentence, "schema": {"type": "string"}} for name, sentence in HEADERS.items()
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status, answer in operation["responses"].items():
                own = answer.setdefault("headers", {})
                for name in _headers_of(method, path, operation, status, answer):
                    own.setdefault(name, {"$ref": f"#/components/headers/{name}"})


def _headers_of(method: str, path: str, operation: Json, status: str, answer: Json) -> Iterator[str]:
    if status in {"429", "503"}:
        yield "Retry-After"
    if status[0] == "2":  # errors have the headers of every answer too; naming them makes /docs slow
        yield "X-Request-ID"
        if path.startswith("/v1/"):
            yield from ("RateLimit", "RateLimit-Policy")
            yield from ("ETag", "Cache-Control") if method == "get" else ()
        yield from _headers_of_success(operation, status, answer)


def _headers_of_success(operation: Json, status: str, answer: Json) -> Iterator[str]:
    name = operation["operationId"]
    if _is_page(answer):
        yield "Link"
    if any(given["name"] == "Idempotency-Key" for given in operation.get("parameters", ())):
        yield "Idempotency-Replayed"
    if status == "201" and name in _ADDRESSED:
        yield "Location"
    if (name, status) in _VERSIONED:
        yield "ETag"


def _is_page(answer: Json) -> bool:
    schemas = [content.get("schema", {}) for content in answer.get("content", {}).values()]
    # A report may answer with a page of rows or with their sums.
    forms = [form for schema in schemas for form in schema.get("anyOf", [schema])]
    return any(str(one.get("$ref", "")).endswith("Page") for one in forms)
