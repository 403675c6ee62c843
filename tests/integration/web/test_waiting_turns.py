"""Requests wait for a turn before they compute or count, so that one workspace leaves room for others."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from service.database.engine import Database
from service.reports.savings import CountedOrder
from service.settings import Settings
from service.web.turns import take_counting_turn, take_large_turn, take_turn
from tests.integration.web.test_connections import ADDING_UP, COMPUTING, COUNTING
from tests.support.crowds import Crowd
from tests.support.journeys import Operation

TURNS = (take_turn, take_large_turn)
COUNTING_ORDERS: set[Operation] = {
    ("GET", "/v1/reports/savings"),
    ("GET", "/v1/reports/savings/orders"),
    ("GET", "/v1/reports/savings/orders/{order_id}"),
    ("GET", "/v1/reports/savings/orders/{order_id}/alternatives"),
    ("GET", "/dashboard"),
    ("GET", "/dashboard/reports/{month}"),
    ("GET", "/dashboard/savings.{kind}"),
    ("GET", "/dashboard/orders/{order_id}"),
    ("POST", "/dashboard/orders/{order_id}/approval"),
    ("POST", "/dashboard/orders/{order_id}/cancel"),
    ("POST", "/dashboard/orders/{order_id}/deadline"),
    ("POST", "/dashboard/orders/{order_id}/truth"),
}
"""Operations that count all orders of a workspace, some only to show a refusal on the page of an order."""


def depends_on(dependant: Dependant, call: Callable[..., Any]) -> bool:
    return any(one.call is call or depends_on(one, call) for one in dependant.dependencies)


def test_every_operation_that_counts_orders_waits_its_turn(client: TestClient) -> None:
    waiting = {
        (method, route.path)
        for route in cast(FastAPI, client.app).state.operations
        if isinstance(route, APIRoute) and depends_on(route.dependant, take_counting_turn)
        for method in route.methods or ()
    }

    assert waiting == COUNTING_ORDERS


def test_reports_that_count_for_minutes_leave_threads_for_others(
    client: TestClient, database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten orders of overlapping scenes with gaps take half a minute to count, for each filter again."""
    crowd = Crowd(client, database, settings.computing_each)

    def hang(*_given: Any) -> tuple[CountedOrder, ...]:
        crowd.hang()
        return ()

    monkeypatch.setattr("service.reports.kept.count_now", hang)

    def report(number: int) -> int:
        return client.get("/v1/reports/savings", params={"cost_center": f"c{number}"}).status_code

    assert crowd.statuses(report) == {200}


def test_every_operation_that_computes_waits_its_turn(client: TestClient) -> None:
    reading_files = {operation for operation, does in COMPUTING.items() if does <= {"get", "open_checked"}}

    waiting = {
        (method, route.path)
        for route in cast(FastAPI, client.app).state.operations
        if isinstance(route, APIRoute) and any(one.call in TURNS for one in route.dependant.dependencies)
        for method in route.methods or ()
    }

    assert waiting == (COMPUTING.keys() | COUNTING.keys() | ADDING_UP) - reading_files
