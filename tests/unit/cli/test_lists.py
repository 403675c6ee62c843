"""`loupe plans` and `loupe orders`."""

import json
from collections.abc import Callable
from inspect import signature
from itertools import chain

import httpx
import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from service.cli import lists
from service.cli.filters import StatusChoice
from service.cli.lists import list_orders, list_plans
from service.orders.routes import router as order_router
from service.orders.tables import OrderStatus
from service.plans.routes import router as plan_router
from service.web.parameters import query_names
from tests.support.bundles import usd
from tests.support.command_line import (
    BUDGET,
    BUDGET_ID,
    ORDER,
    ORDER_ID,
    PLAN,
    PLAN_ID,
    PlayedServer,
    loupe,
)

LISTED_PLAN = PLAN | {"created_at": "2026-11-02T09:30:00Z", "savings": {"billable": usd("1.25")}}
LISTED_ORDER = ORDER | {"created_at": "2026-11-02T09:31:00Z", "expires_at": "2026-12-02T09:31:00Z"}
DONE = LISTED_ORDER | {
    "id": "done",
    "status": "completed",
    "counts": {"bought": 3, "delivered": 3, "awaited": 0},
}
SHOWN = LISTED_ORDER | {
    "statuses": [{"status": "accepted", "reason_code": "hold_taken", "at": "2026-11-02T09:31:00Z"}],
    "patches": {
        "awaited": [{"tile": 0, "patch": number} for number in (5, 6, 9)],
        "delivered": [],
        "partly": [],
    },
}
PATH = f"/v1/orders/{ORDER_ID}"


def test_plans_are_listed_with_cost_and_saving(server: PlayedServer) -> None:
    server.lists("/v1/plans", LISTED_PLAN)

    (line,) = loupe("plans", "list").stdout.splitlines()[1:]

    assert line.split() == [PLAN_ID, "2026-11-02", "09:30", "3", "of", "16", "0.25", "USD", "1.25", "USD"]


def test_orders_are_listed_with_status_and_deadline(server: PlayedServer) -> None:
    server.lists("/v1/orders", LISTED_ORDER, DONE)

    first, second = loupe("orders", "list").stdout.splitlines()[1:]

    assert first.split() == [ORDER_ID, "accepted", "0", "of", "3", "0.25", "USD", "2026-12-02"]
    assert second.split() == ["done", "completed", "3", "of", "3", "0.25", "USD"]


def test_open_orders_are_those_that_await_approval_or_patches(server: PlayedServer) -> None:
    server.lists("/v1/orders", LISTED_ORDER)

    found = json.loads(loupe("orders", "list", "--open", "--json").stdout)

    assert [order["id"] for order in found] == [ORDER_ID]
    assert server.asked[0].url.params.get_list("status") == ["held", "accepted", "processing"]


def test_list_asks_for_no_more_than_its_limit(server: PlayedServer) -> None:
    server.lists("/v1/plans", LISTED_PLAN, LISTED_PLAN)

    assert len(json.loads(loupe("plans", "list", "--limit", "1", "--json").stdout)) == 1
    assert server.asked[0].url.params["limit"] == "1"


@pytest.mark.parametrize(("group", "hint"), [("plans", "loupe plan FILE"), ("orders", "loupe order PLAN")])
def test_empty_list_says_what_to_do(server: PlayedServer, group: str, hint: str) -> None:
    server.lists(f"/v1/{group}")

    assert hint in loupe(group, "list").stdout


def test_order_is_shown_with_its_history_and_awaited_patches(server: PlayedServer) -> None:
    server.routes[f"GET {PATH}"] = (200, SHOWN)

    shown = loupe("orders", "show", ORDER_ID).stdout

    assert "accepted  hold taken" in shown
    assert "3 patches awaited (tile/patch): 0/5, 0/6, 0/9." in shown
    assert f"loupe deliver {ORDER_ID} FILE..." in shown


def test_wait_ends_when_nothing_is_awaited(server: PlayedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "LOOK_S", 0.0)
    answers = iter([SHOWN, SHOWN, SHOWN | {"status": "completed"}])
    server.routes[f"GET {PATH}"] = lambda _: httpx.Response(200, json=next(answers))

    done = loupe("orders", "wait", ORDER_ID, "--json")

    assert (done.exit_code, json.loads(done.stdout)["status"]) == (0, "completed")


def test_wait_that_is_in_vain_has_an_exit_code_of_its_own(server: PlayedServer) -> None:
    server.routes[f"GET {PATH}"] = (200, SHOWN)

    assert loupe("orders", "wait", ORDER_ID, "--timeout", "0").exit_code == 5


IN_API = {"first": "from", "last": "to", "search": "q"}
SHARED_FILTERS = {
    "--provider": "Acme", "--name": "May", "--external-id": "G-1", "--tag": "team=north",
    "--from": "2026-10-01", "--to": "2026-10-31", "--search": "may", "--sort": "created_at",
}  # fmt: skip
SENT = {
    "provider": "Acme", "name": "May", "external_id": "G-1", "tag": "team=north", "from": "2026-10-01",
    "to": "2026-10-31", "q": "may", "sort": "created_at", "limit": "20",
}  # fmt: skip


@pytest.mark.parametrize(
    ("group", "given", "sent"),
    [
        (
            "plans",
            ["--task", "find", "--price-list", "acme", "--bundle", "tanks", "--scene", "ab", "--follows",
             ORDER_ID, "--no-superseded"],
            {"task": "find", "price_list": "acme", "bundle": "tanks", "scene": "ab", "follows": ORDER_ID,
             "superseded": "false"},
        ),
        (
            "orders",
            ["--plan", PLAN_ID, "--cost-center", "R&D", "--status", "held"],
            {"plan": PLAN_ID, "cost_center": "R&D", "status": "held"},
        ),
    ],
)  # fmt: skip
def test_lists_are_narrowed_by_every_filter(
    server: PlayedServer, group: str, given: list[str], sent: dict[str, str]
) -> None:
    server.lists(f"/v1/{group}")

    done = loupe(group, "list", *chain.from_iterable(SHARED_FILTERS.items()), *given)

    assert dict(server.asked[0].url.params) == SENT | sent
    assert done.stdout == f"No {group[:-1]} is like that.\n"


@pytest.mark.parametrize(
    ("command", "routes"), [(list_plans, plan_router), (list_orders, order_router)], ids=["plans", "orders"]
)
def test_list_has_an_option_for_every_filter_of_the_api(
    command: Callable[..., None], routes: APIRouter
) -> None:
    (operation,) = (
        route
        for route in routes.routes
        if isinstance(route, APIRoute) and route.path == routes.prefix and route.methods == {"GET"}
    )
    options = {IN_API.get(name, name) for name in signature(command).parameters}

    assert set(query_names(operation)) - {"cursor"} == options - {"only_open", "as_json", "url", "api_key"}


def test_statuses_of_the_option_are_those_of_orders() -> None:
    assert [one.value for one in StatusChoice] == [one.value for one in OrderStatus]


def test_orders_of_a_budget_are_chosen_by_its_name(server: PlayedServer) -> None:
    server.lists("/v1/budgets", BUDGET)
    server.lists("/v1/orders", LISTED_ORDER)

    loupe("orders", "list", "--budget", "harvest")

    assert server.asked[-1].url.params["budget"] == BUDGET_ID


def test_open_and_status_exclude_each_other(server: PlayedServer) -> None:
    done = loupe("orders", "list", "--open", "--status", "held")

    assert (done.exit_code, done.stderr) == (1, "Error: Give either --open or --status.\n")
    assert server.asked == []


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        (("plans", "edit", PLAN_ID, "--name", "May", "--tag", "team=north", "--tag", "site="),
         {"name": "May", "tags": {"team": "north", "site": None}}),
        (("orders", "edit", ORDER_ID, "--external-id", ""), {"external_id": None}),
    ],
)  # fmt: skip
def test_names_are_edited(server: PlayedServer, words: tuple[str, ...], sent: object) -> None:
    path = f"/v1/{words[0]}/{words[2]}"
    named = {"name": "May", "external_id": "G-1", "tags": {"team": "north"}}
    server.routes[f"PATCH {path}"] = (200, named)

    assert loupe(*words).stdout == "May (G-1), team = north\n"
    assert json.loads(server.asked[0].content) == sent


def test_edit_without_a_change_is_refused(server: PlayedServer) -> None:
    done = loupe("plans", "edit", PLAN_ID)
    assert (done.exit_code, server.asked) == (1, [])
    assert "nothing to change" in done.stderr
