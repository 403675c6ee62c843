"""Two files whose common edge cuts a bought patch, and the views of that patch."""

from typing import Any
from uuid import UUID

import numpy as np
from fastapi.testclient import TestClient

from service.database.engine import Database
from service.orders.delivered import find_file
from tests.support.databases import rows
from tests.support.mosaics import HEIGHT, WIDTH, mosaic
from tests.support.ordering import Json
from tests.support.orders import make_detail

SEAM = (4, 15)  # columns 56..63; the files below are cut at column 60
LEFT, RIGHT = mosaic(0, 60), mosaic(60)
OTHER_RIGHT = mosaic(60, seed=9)
HALVES = [(LEFT, RIGHT), (RIGHT, LEFT)]
ALL = {"held": "0.00", "spent": "10.00", "available": "90.00"}


def at_seam(answer: Any) -> Json:
    """Return the result of the patch at the seam."""
    found = [one for one in answer.json()["patches"] if (one["tile"], one["patch"]) == SEAM]
    return dict(found[0]) if found else {"outcome": None}


def digest(answer: Any) -> str:
    """Return the digest of the first file of an answer."""
    return str(answer.json()["files"][0]["sha256"])


def state(client: TestClient, order: str) -> Json:
    """Return an order."""
    return dict(client.get(f"/v1/orders/{order}").json())


def written(database: Database) -> tuple[int, ...]:
    """Count the rows that deliveries write."""
    tables = "delivered_part", "delivered_file", "delivery", "ledger.transfer"
    return tuple(rows(database, table) for table in tables)


def pixels_at_seam(database: Database, order: str, version: int = 1) -> np.ndarray[Any, Any]:
    """Return the stored pixels of the patch at the seam (3, 8, 8)."""
    with database.sessions() as session:
        raw = find_file(session, UUID(order), SEAM, version).pixels
    return np.frombuffer(raw, np.uint8).reshape(3, 8, 8)


def shown(first_column: int = 0, right_seed: int = 7) -> np.ndarray[Any, Any]:
    """Return the patch at the seam as LEFT, from its first column on, and RIGHT show it."""
    left = make_detail(np.arange(HEIGHT), np.arange(first_column, 60))
    right = make_detail(np.arange(HEIGHT), np.arange(60, WIDTH), right_seed)
    return np.concatenate([left[:, 56:64, -4:], right[:, 56:64, :4]], axis=2)
