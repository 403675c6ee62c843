"""Second rounds of the scene of the tiny bundle that counts: requests, and revisions made by hand."""

from typing import Any

import numpy as np
import torch
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from sqlalchemy import text

from models.counts import Counts
from models.second_look import SecondLook, Sight, revise
from service.bundles.counting import CountPredictor
from service.bundles.registry import open_bundles
from service.database.engine import Database
from service.settings import Settings
from tests.support.bundles import make_geotiff
from tests.support.counting import LR_M, hr_patch, hr_pixels, scene_pixels
from tests.support.ordering import deliver, place, plan_scene
from tests.support.orders import Planned

Json = dict[str, Any]
TILES, ROWS, COLUMNS = 6, 2, 3
LOOK = SecondLook(near=1.65, prior=1.0, far_share=0.27, discount=0.37, before=0.5)


def planned(client: TestClient, **query: Any) -> Planned:
    """Plan the scene for its objects, by default 12 patches."""
    body = make_geotiff(scene_pixels(), gsd_m=LR_M)
    return plan_scene(client, body, **({"task": "find", "max_patches": 12} | query))


def send(client: TestClient, order: str, plan: Planned, patches: slice = slice(None)) -> None:
    """Deliver some of the patches that a plan buys, by default all."""
    for where in plan.bought[patches]:
        answer = deliver(client, order, *where, hr_patch(*where))
        assert answer.status_code == 201, answer.text


def ordered(client: TestClient, plan: Planned, patches: slice = slice(None)) -> str:
    """Order a plan, deliver some of its patches, by default all, and return the order's id."""
    order = str(place(client, plan).json()["id"])
    send(client, order, plan, patches)
    return order


def ask(client: TestClient, order: str, **body: Any) -> Any:
    """Ask for the plan that follows an order."""
    return client.post(f"/v1/orders/{order}/next-round", json=body)


def next_round(client: TestClient, order: str, **body: Any) -> Json:
    """Return the plan that follows an order."""
    answer = ask(client, order, **body)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


def places(made: Json, kind: str) -> list[tuple[int, int]]:
    """Return the patches that a plan lists as `buy`, `owned` or `on_order`."""
    return [(tile["tile"], patch) for tile in made["tiles"] for patch in tile[kind]]


def bought(made: Json) -> Planned:
    """Return the patches that a plan buys."""
    return Planned(id=made["id"], bought=tuple(places(made, "buy")))


def kept(database: Database, plan: str, column: str) -> NDArray[np.float32]:
    """Return a column of a plan's row: mean and variance (2, T, 16)."""
    with database.sessions() as session:
        raw = session.execute(text(f"SELECT {column} FROM plan WHERE id = :id"), {"id": plan}).scalar_one()
    return np.frombuffer(raw, "<f4").reshape(2, TILES, 16)


def read(
    settings: Settings, where: list[tuple[int, int]], expected: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the numbers (N,) of objects in patches of the scene, where LR made expect means (T, 16)."""
    predictor = open_bundles(settings.bundles, "tiny-count", "cpu", 1).default
    assert isinstance(predictor, CountPredictor)
    pixels = np.stack([hr_pixels(*one) for one in where])
    return predictor.read(pixels, np.array([expected[one] for one in where])).mean


def revised_by_hand(
    first: NDArray[np.float32],
    where: list[tuple[int, int]],
    numbers: NDArray[np.float32],
    *,
    earlier: bool = False,
) -> NDArray[np.float64]:
    """Return the revised means (T, 16): patch p of tile t lies at row 4 * (t // 3) + p % 4, and so on.

    With `earlier`, the numbers were read in imagery of an earlier date.
    """

    def at(tile: int, patch: int) -> tuple[int, int, int]:
        return 0, tile // COLUMNS * 4 + patch % 4, tile % COLUMNS * 4 + patch // 4

    mean, variance, observed = (torch.zeros(1, ROWS * 4, COLUMNS * 4).double() for _ in range(3))
    came = torch.zeros(mean.shape, dtype=torch.bool)
    for tile in range(TILES):
        for patch in range(16):
            mean[at(tile, patch)], variance[at(tile, patch)] = map(float, first[:, tile, patch])
    for one, number in zip(where, numbers, strict=True):
        came[at(*one)], observed[at(*one)] = True, float(number)
    counts, never = Counts.of_moments(mean, variance), torch.zeros_like(came)
    sight = Sight(bought=came, observed=observed, known_before=never, before=observed)
    if earlier:
        sight = Sight(bought=never, observed=observed, known_before=came, before=observed)
    found = revise(counts, sight, LOOK).mean
    return np.array([[float(found[at(tile, patch)]) for patch in range(16)] for tile in range(TILES)])
