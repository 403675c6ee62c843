"""Examples in the OpenAPI document: how to send a scene, and a plan."""

from typing import Any

from service.plans.bills import BILL_BASELINE, LIST_BASELINE
from service.plans.tasks import CLASSIFIED

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
                "additionalProperties": False,
                "required": ["scene"],
                "properties": {
                    "scene": {"type": "string", "format": "binary"},
                    "params": {
                        "type": "string",
                        "contentMediaType": "application/json",
                        "description": "The options of the query as JSON. They override the query.",
                        "examples": ['{"max_cost": "50.00"}'],
                    },
                },
            }
        },
    },
}

_PLAN_ID = "be5a033e-21ae-4b45-8ea0-2dc6ca6fb4ad"
_PRICE_LIST_ID = "9482b5d4-fd7f-40e2-b744-4ac37d97f785"
_SCENE_SHA256 = "6e3645f28320786fddaba333bc416161f1c28ab5c9aa76043967cfc497879c47"

PLAN: dict[str, Any] = {
    "id": _PLAN_ID,
    "name": None,
    "external_id": None,
    "tags": {},
    "created_at": "2026-11-22T17:39:30.010953Z",
    "scene": {
        "sha256": _SCENE_SHA256,
        "columns": 1,
        "rows": 1,
        "tile_m": 2240.0,
        "gsd_m": [10.0, 10.0],
        "crs": "EPSG:32632",
        "bands": [1, 2, 3],
        "bands_from": "by the file's colour interpretation",
        "radiometry": "8-bit colour as it is",
        "planned_km2": 5.0176,
        "left_out_km2": 0.21,
        "tiles_without_data": 0,
    },
    "expires_at": "2026-12-22T17:39:30.010953Z",
    "supersedes": None,
    "follows": None,
    "task": "label",
    "utility_unit": CLASSIFIED,
    "objects": None,
    "licence": None,
    "objective": {"kind": "policy", "threshold": 0.5},
    "decision": "Buys 4 of 16 patches: utility of at least 0.5.",
    "patches": {"bought": 4, "filled": 0, "total": 16},
    "cost": {"amount": "12.54", "currency": "USD"},
    "baseline": {"amount": "50.18", "currency": "USD"},
    "area_km2": "1.2544",
    "billable_km2": "1.2544",
    "savings": {
        "list": {"amount": "37.64", "currency": "USD", "baseline": LIST_BASELINE},
        "billable": {"amount": "37.64", "currency": "USD", "baseline": BILL_BASELINE},
        "realised": None,
    },
    "reuse": {
        "mode": "owned",
        "owned": 0,
        "on_order": 0,
        "area_km2": "0",
        "orders": [],
        "spared": 0,
        "saved": {"amount": "0.00", "currency": "USD"},
    },
    "guarantee": None,
    "prior": None,
    "round": None,
    "warnings": [],
    "bound": {"measure": "cost", "reached": 12.54, "bound": 12.54, "gap": 0.0},
    "provenance": {
        "bundle": {"name": "starter", "version": "1", "sha256": "f9e69d87..."},
        "price_list": {
            "id": _PRICE_LIST_ID,
            "name": "example-no-minimum",
            "version": 1,
            "example": True,
        },
        "input_sha256": _SCENE_SHA256,
        "code_version": "0.3.0",
    },
    "links": [{"rel": "self", "href": f"/v1/plans/{_PLAN_ID}"}],
    "tiles": [
        {
            "tile": 0,
            "row": 0,
            "column": 0,
            "status": "planned",
            "valid_share": 1.0,
            "cloud_share": 0.0,
            "buy": [0, 1, 5, 10],
            "owned": [],
            "on_order": [],
            "utilities": [
                0.97, 0.81, 0.22, 0.15, 0.4, 0.74, 0.31, 0.12,
                0.28, 0.48, 0.55, 0.09, 0.07, 0.05, 0.03, 0.01,
            ],
            "objects": None,
        }
    ],
}  # fmt: skip
"""The worked example of `docs/planning.md`; which patch has which utility is arbitrary."""
