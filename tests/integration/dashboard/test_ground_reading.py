"""The places of the map: after every change they are those of a fresh reading, and only new ones are read."""

import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from uuid import UUID

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.testing import assert_array_equal
from sqlalchemy import text

from service.dashboard import ground_reading
from service.dashboard.ground import NAMES, PLACE, MappedGround, Places
from service.dashboard.ground_reading import places_now, read_places
from service.database.engine import Database
from service.geotiff.ground import FloatArray
from service.imagery.extents import extents_wgs84
from service.imagery.tile_grid import TileGrid
from service.orders.expiry import expire_orders
from service.reports.kept import KeptFigures
from tests.integration.reports.test_recomputed import TILE_M, Shop, reject, scene
from tests.support.kept import compare_places
from tests.support.ordering import deliver, let_time_pass, place, plan_scene, publish_prices
from tests.support.orders import Planned, make_patch

SOON_S = 1.5
"""Seconds after which the prices of some plans expire."""


@pytest.fixture
def grids_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows with the number of grids of each reading."""
    counts = list[int]()

    def counted(grids: Sequence[TileGrid]) -> FloatArray:
        counts.append(len(grids))
        return extents_wgs84(grids)

    monkeypatch.setattr(ground_reading, "extents_wgs84", counted)
    return counts


class Team:
    """People who change what is on the map, each step on ground of its own if it needs new ground."""

    def __init__(self, client: TestClient, database: Database, workspace_id: UUID, seed: int) -> None:
        publish_prices(client)
        self.client, self.database, self.workspace_id = client, database, workspace_id
        self.chance, self.shop = random.Random(seed), Shop(client)
        self.east: dict[str, int] = {}
        self.last_day = datetime.now(UTC).date() + timedelta(days=100)

    def plan(self, patches: int = 3) -> str:
        east = 10 * len(self.east)
        plan = str(plan_scene(self.client, scene(east), max_patches=patches, reuse="none").id)
        self.east[plan] = east
        return plan

    def plan_nothing(self) -> None:
        self.plan(patches=0)

    def plan_at_prices_that_expire(self) -> None:
        soon = text("UPDATE plan SET expires_at = now() + :s * interval '1 second' WHERE id = :id")
        values = {"id": self.plan(), "s": SOON_S}
        with self.database.sessions.begin() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))  # plans never change
            session.execute(soon, values)

    def replan(self) -> None:
        old = self._planned()
        answer = self.client.post(f"/v1/plans/{old}/replan", json={"max_patches": self.chance.randint(1, 4)})
        assert answer.status_code == 201, answer.text
        self.east[answer.json()["id"]] = self.east[old]

    def order(self) -> str:
        answer = place(self.client, Planned(id=UUID(self._planned()), bought=()), budget=self.shop.budget)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def cancel(self) -> None:
        self.shop.cancel(self._order())

    def deliver(self) -> None:
        order = self._order()
        document = self.client.get(f"/v1/orders/{order}").json()
        where = self.chance.choice(document["patches"]["awaited"])
        file = make_patch(where["tile"], where["patch"], east_m=self.east[document["plan"]] * TILE_M)
        assert deliver(self.client, order, where["tile"], where["patch"], file).status_code == 201

    def put_off(self) -> None:
        self.last_day += timedelta(days=1)
        body = {"last_day": self.last_day.isoformat()}
        answer = self.client.post(f"/v1/orders/{self._order(also_overdue=True)}/deadline", json=body)
        assert answer.status_code == 200, answer.text

    def hold_and_reject(self) -> None:
        east = 10 * len(self.east)
        order = self.shop.hold(east, reuse="none")
        self.east[self.client.get(f"/v1/orders/{order}").json()["plan"]] = east
        reject(self.client, self.database, self.workspace_id, order)

    def be_late(self) -> None:
        let_time_pass(self.database, self._order())

    def sweep(self) -> None:
        expire_orders(self.database)

    def wait(self) -> None:
        time.sleep(SOON_S / 3)

    def _planned(self) -> str:
        """Return a plan that can be ordered for some time."""
        places = fresh(self.database, self.workspace_id)
        tomorrow = np.datetime64("now") + np.timedelta64(1, "D")
        lasting = places[(places["until"] > tomorrow) & (places["kind"] == NAMES.index("planned"))]
        found = [str(MappedGround(one).id) for one in lasting]
        return self.chance.choice(found) if found else self.plan()

    def _order(self, *, also_overdue: bool = False) -> str:
        """Return an order that awaits patches."""
        query = """
            SELECT id FROM "order"
            WHERE status IN ('accepted', 'processing') AND (expires_at > now() OR :overdue)
            ORDER BY created_at
        """
        with self.database.sessions() as session:
            found = list(session.scalars(text(query), {"overdue": also_overdue}))
        return str(self.chance.choice(found)) if found else self.order()


STEPS: Sequence[Callable[[Team], object]] = (
    *(Team.plan, Team.plan_nothing, Team.plan_at_prices_that_expire, Team.replan, Team.order, Team.cancel),
    *(Team.deliver, Team.put_off, Team.hold_and_reject, Team.be_late, Team.sweep, Team.wait),
)


def ids_of(places: Places) -> set[bytes]:
    return {one.tobytes() for one in places["id"]}


def fresh(database: Database, workspace_id: UUID) -> Places:
    return places_now(KeptFigures(), database, workspace_id).places


@pytest.mark.parametrize(("seed", "at_once"), [(1, 1), (2, 10_000), (3, 10_000)])
def test_places_keep_up_with_random_changes_and_read_only_new_ground(
    client: TestClient,
    database: Database,
    workspace_id: UUID,
    grids_read: list[int],
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
    at_once: int,
) -> None:
    monkeypatch.setattr(ground_reading, "AT_ONCE", at_once)
    team, kept = Team(client, database, workspace_id, seed), KeptFigures()
    steps = list(STEPS) * 3
    team.chance.shuffle(steps)
    before, kinds = np.zeros(0, PLACE), set[str]()
    for step in steps:
        step(team)
        grids_read.clear()
        places = places_now(kept, database, workspace_id).places
        new = len(ids_of(places) - ids_of(before))
        assert sum(grids_read) == (new if new <= at_once else len(places)), step
        before = places
        compare_places(kept, database, workspace_id)
        kinds |= {MappedGround(one).kind for one in places}
    assert kinds == set(NAMES)


def test_places_of_another_history_are_as_good_as_none(
    client: TestClient, database: Database, workspace_id: UUID
) -> None:
    team = Team(client, database, workspace_id, seed=4)
    for step in (Team.plan, Team.order, Team.deliver, Team.plan, Team.order, Team.plan):
        step(team)
    true = fresh(database, workspace_id)
    later = np.concatenate([true[1:], true])  # places that came after the backup, and one that went
    later["id"][len(true) - 1 :] = np.frombuffer(random.Random(5).randbytes(16 * len(true)), "V16")
    later["kind"] = (later["kind"] + 1) % len(NAMES)
    with database.sessions() as session:
        for known in (None, true, true[::-1], true[:1], true[:0], later):
            assert_array_equal(read_places(session, workspace_id, known), true)


def test_threads_that_read_at_once_find_the_same(
    client: TestClient, database: Database, workspace_id: UUID
) -> None:
    team, kept = Team(client, database, workspace_id, seed=6), KeptFigures()
    team.order()
    places_now(kept, database, workspace_id)
    team.deliver()
    team.plan()
    found, together = list[Places](), Barrier(4)

    def read() -> None:
        together.wait()
        found.append(places_now(kept, database, workspace_id).places)

    threads = [Thread(target=read) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    true = compare_places(kept, database, workspace_id)
    for places in found:
        assert_array_equal(places, true)
    assert len(found) == 4
