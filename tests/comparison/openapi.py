"""An OpenAPI document without names and texts: what a program that calls the API depends on."""

from typing import Any

TEXTS = {"title", "description", "summary", "examples", "example", "operationId", "tags"}
MOST_DEPTH = 40


def structure_of(document: Any) -> dict[str, Any]:
    """Return path and method -> parameters, body and answers, with every reference resolved."""
    schemas = document["components"]["schemas"]
    return {
        f"{method} {path}": _operation(operation, schemas)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


def _operation(operation: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    parameters = operation.get("parameters", [])
    return {
        "parameters": {
            f"{one['in']} {one['name']}": _plain(
                {key: value for key, value in one.items() if key not in {"in", "name"}}, schemas
            )
            for one in parameters
        },
        "body": _plain(operation.get("requestBody"), schemas),
        "answers": _plain(operation["responses"], schemas),
        "billable": operation.get("x-billable"),
    }


def _plain(node: Any, schemas: dict[str, Any], inside: tuple[str, ...] = ()) -> Any:
    """Resolve references and drop texts; a schema inside itself is named by its depth, not by its name."""
    if isinstance(node, list):
        return [_plain(item, schemas, inside) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        if name in inside:
            return f"(recursive, {len(inside) - inside.index(name)} up)"
        return _plain(schemas[name], schemas, (*inside, name))
    names = node.get("properties")
    kept = {key: value for key, value in node.items() if key not in TEXTS or value is names}
    if kept.get("default", "") is None:
        del kept["default"]  # says no more than that the member may be left out
    plain = {key: _plain(value, schemas, inside) for key, value in kept.items() if key != "properties"}
    if isinstance(names, dict):  # a property may well be called `title`
        plain["properties"] = {key: _plain(value, schemas, inside) for key, value in names.items()}
    return plain
