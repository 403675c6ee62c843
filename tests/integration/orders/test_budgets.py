"""Budgets of orders: which one pays, and that racing orders never hold more than it has."""

from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from service.database.engine import Database
from service.settings import Settings
from tests.support.ordering import code, open_budget, place, race, status, usage
from tests.support.orders import Planned, make_plan


def test_order_above_the_available_amount_is_refused_without_a_trace(
    client: TestClient, plan: Planned
) -> None:
    poor = open_budget(client, "9.99")

    answer = place(client, plan)
    problem = answer.json()

    assert code(answer) == (402, "budget-exceeded")
    assert {name: problem[name] for name in ("available", "required", "currency")} == {
        "available": "9.99", "required": "10.00", "currency": "USD",
    }  # fmt: skip
    assert client.get("/v1/orders").json()["items"] == []
    assert usage(client, poor) == {"held": "0.00", "spent": "0.00", "available": "9.99"}


def test_refused_order_can_be_repeated_under_its_key(client: TestClient, plan: Planned) -> None:
    open_budget(client, "1.00", name="small")
    assert place(client, plan, key="try and try again").status_code == 402

    rich = open_budget(client, name="large")
    answer = place(client, plan, key="try and try again", budget=rich)

    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    ("budgets", "expected"),
    [
        ([], (409, "no-budget")),
        (["EUR"], (409, "no-budget")),  # money is never converted
        (["USD", "USD"], (422, "budget-ambiguous")),
    ],
)
def test_order_without_a_budget_is_refused_unless_one_fits(
    client: TestClient, plan: Planned, budgets: list[str], expected: tuple[int, str]
) -> None:
    for number, currency in enumerate(budgets):
        open_budget(client, currency=currency, name=f"budget {number}")

    answer = place(client, plan)

    assert code(answer) == expected
    assert "/v1/budgets" in answer.json()["detail"] or "`budget`" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("budgets", "named"),
    [(2, "USD: budget 1, budget 0. "), (12, "budget 3, budget 2 and 2 more. ")],
)
def test_order_that_several_budgets_could_pay_names_them(
    client: TestClient, plan: Planned, budgets: int, named: str
) -> None:
    for number in range(budgets):
        open_budget(client, name=f"budget {number}")

    answer = place(client, plan)

    assert code(answer) == (422, "budget-ambiguous")
    assert named in answer.json()["detail"]


def test_order_without_a_budget_takes_the_only_one_of_its_currency(
    client: TestClient, plan: Planned, budget: str
) -> None:
    open_budget(client, currency="EUR", name="other")

    assert place(client, plan).json()["budget"] == budget


@pytest.mark.usefixtures("budget")
def test_order_with_a_budget_in_another_currency_is_refused(client: TestClient, plan: Planned) -> None:
    euros = open_budget(client, currency="EUR", name="other")

    assert code(place(client, plan, budget=euros)) == (422, "budget-currency")


def test_racing_orders_of_one_plan_hold_once(client: TestClient, plan: Planned, budget: str) -> None:
    answers = race(8, lambda: status(place(client, plan)))

    assert sorted(answers) == [201] + [409] * 7
    assert usage(client, budget)["held"] == "10.00"


def test_racing_orders_never_overspend(
    client: TestClient, database: Database, workspace_id: UUID, settings: Settings
) -> None:
    budget = open_budget(client, "30.00")
    with database.sessions.begin() as session:
        plans = [make_plan(session, workspace_id, settings.blobs, seed=seed) for seed in range(6)]
    waiting = list(plans)

    answers = race(6, lambda: status(place(client, waiting.pop())))

    assert sorted(answers) == [201, 201, 201, 402, 402, 402]
    assert usage(client, budget) == {"held": "30.00", "spent": "0.00", "available": "0.00"}
