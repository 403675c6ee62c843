"""Values that a JSON schema admits, as short text for the cell of a table."""

from typing import Any

from docs.site.markdown import anchor, code

Json = dict[str, Any]
REFERENCE = "#/components/schemas/"
BOUNDS = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
LENGTHS = {"maxLength": "characters", "maxItems": "items", "maxProperties": "members"}


def shape(schema: Json) -> str:
    """Return the values that a schema admits. Patterns are left out: the text beside them explains them."""
    if target := schema.get("$ref"):
        name = target.removeprefix(REFERENCE)
        return f"[{name}](schemas.md#{anchor(name)})"
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(shape(one) for one in schema[key]))
    if "enum" in schema:
        return ", ".join(code(str(one)) for one in schema["enum"])
    if "const" in schema:
        return code(str(schema["const"]))
    return _typed(schema)


def _typed(schema: Json) -> str:
    kind = schema.get("type", "")
    if kind == "array":
        words = f"list of {shape(schema.get('items', {})) or 'values'}"
    elif kind == "object" and isinstance(inner := schema.get("additionalProperties"), dict):
        words = f"object of {shape(inner) or 'values'}"
    else:
        words = schema.get("format") or kind
    limits = [f"{word} {schema[key]:,}" for key, word in BOUNDS.items() if key in schema]
    limits += [f"at most {schema[key]:,} {word}" for key, word in LENGTHS.items() if key in schema]
    default = [f"default {code(str(schema['default']))}"] if schema.get("default") not in (None, "") else []
    return ", ".join([one for one in (words, *limits, *default) if one])
