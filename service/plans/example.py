"""What the OpenAPI document shows of planning: how to send a scene, and an answer."""

from typing import Any

BINARY = {"schema": {"type": "string", "format": "binary"}}

REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "description": "A low-resolution GeoTIFF: the raw bytes, or a form as browsers send it.",
    "content": {
        "image/tiff": BINARY,
        "application/octet-stream": BINARY,
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["scene"],
                "properties": {
                    "scene": {"type": "string", "format": "binary"},
                    "params": {
                        "type": "string",
                        "contentMediaType": "application/json",
                        "description": "the query's options as JSON; they win over the query",
                        "examples": ['{"max_cost": "50.00"}'],
                    },
                },
            }
        },
    },
}

PLAN: dict[str, Any] = {}
