"""Patches that come after their order has expired: held again, paid exactly, billed once more."""

from decimal import Decimal

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.database.engine import Database
from service.ledger.audit import audit_ledger
from tests.support.late import adjust, expire, late, paid, show
from tests.support.mosaics import mosaic
from tests.support.ordering import (
    buy,
    code,
    deliver,
    movements,
    open_budget,
    outcomes,
    place,
    plan_scene,
    publish_prices,
    race,
    recorded_status,
    send_file,
    status,
    usage,
)
from tests.support.orders import Planned, make_patch


def test_late_patch_is_refused_unless_it_is_accepted(
    client: TestClient, expired: str, budget: str, plan: Planned
) -> None:
    before = show(client, expired), usage(client, budget)

    answer = deliver(client, expired, *plan.bought[1])

    assert code(answer) == (409, "order-expired")
    assert "accept_late=true (`loupe deliver --late`)" in answer.json()["detail"]
    assert code(send_file(client, expired, make_patch(*plan.bought[1]))) == (409, "no-patch-covered")
    assert (show(client, expired), usage(client, budget)) == before


def test_late_patches_are_held_and_paid_again(
    client: TestClient, expired: str, budget: str, database: Database, plan: Planned
) -> None:
    assert late(client, expired, plan.bought[1]).status_code == 201
    shown = show(client, expired)
    last = shown["statuses"][-1]

    assert (last["status"], last["reason_code"]) == ("expired", "delivered_late")
    assert last["by"] == shown["statuses"][0]["by"]
    assert shown["counts"] == {"bought": 3, "delivered": 2, "awaited": 0}
    assert (shown["final_bill"]["patches"], paid(shown)) == (
        2,
        Decimal(shown["amounts"]["settled"]["amount"]),
    )
    assert shown["amounts"]["held"]["amount"] == "0.00"

    assert late(client, expired, plan.bought[2]).status_code == 201
    shown = show(client, expired)
    cost = client.get(f"/v1/plans/{plan.id}").json()["cost"]
    assert (shown["status"], paid(shown)) == ("completed", Decimal(cost["amount"]))
    assert shown["final_bill"]["billed"] == cost
    left = str(100 - Decimal(cost["amount"]))
    assert usage(client, budget) == {"held": "0.00", "spent": cost["amount"], "available": left}
    words = [word for _, _, word in movements(database)]
    assert words.count("late") == 2


def test_late_patches_under_a_minimum_cost_nothing_more(client: TestClient, database: Database) -> None:
    publish_prices(client, price_per_km2="10", minimum_km2="100")
    budget = open_budget(client, "1000.00")
    plan = plan_scene(client)
    order = expire(database, buy(client, plan, patches=1))
    before = movements(database)
    assert usage(client, budget)["spent"] == "1000.00"

    for one in plan.bought[1:]:
        answer = late(client, order, one)
        assert (answer.status_code, answer.json()["settled"]["amount"]) == (201, "0.00")

    shown = show(client, order)
    assert (shown["status"], paid(shown), movements(database)) == ("completed", Decimal(1000), before)
    assert shown["final_bill"]["patches"] == 3


@pytest.fixture
def refunded(client: TestClient, database: Database) -> tuple[str, Planned]:
    """Return an expired order that paid a minimum of 1000.00, which was refunded since, and its plan."""
    publish_prices(client, price_per_km2="10", minimum_km2="100")
    open_budget(client, "5000.00")
    plan = plan_scene(client)
    order = expire(database, buy(client, plan, patches=1))
    assert adjust(client, order, "refund", "1000.00").status_code == 201
    return order, plan


def test_refunded_minimum_does_not_pay_late_patches(
    client: TestClient, refunded: tuple[str, Planned], database: Database
) -> None:
    order, plan = refunded
    before = show(client, order), movements(database)

    for answer in (late(client, order, plan.bought[1]), send_file(client, order, mosaic(), accept_late=True)):
        assert code(answer) == (409, "late-price-needed")
        assert "1000.00 USD of what this order paid was refunded" in answer.json()["detail"]
    assert (show(client, order), movements(database)) == before

    assert late(client, order, plan.bought[1], price="1000.00").status_code == 201
    assert show(client, order)["amounts"]["net"]["amount"] == "1000.00"
    assert late(client, order, plan.bought[2], price="0").status_code == 201
    shown = show(client, order)
    assert (shown["status"], shown["amounts"]["net"]["amount"]) == ("completed", "1000.00")


def test_minimum_that_was_charged_again_pays_late_patches(
    client: TestClient, refunded: tuple[str, Planned]
) -> None:
    order, plan = refunded
    assert adjust(client, order, "charge", "1000.00").status_code == 201

    assert late(client, order, plan.bought[1]).json()["settled"]["amount"] == "0.00"


def test_refund_does_not_change_what_a_late_patch_costs_without_a_minimum(
    client: TestClient, expired: str, plan: Planned
) -> None:
    paid_before = show(client, expired)["amounts"]["settled"]["amount"]
    assert adjust(client, expired, "refund", paid_before).status_code == 201

    assert Decimal(late(client, expired, plan.bought[1]).json()["settled"]["amount"]) > 3


def test_first_patch_that_comes_late_pays_the_minimum(client: TestClient, database: Database) -> None:
    publish_prices(client, price_per_km2="10", minimum_km2="100")
    budget = open_budget(client, "1000.00")
    plan = plan_scene(client)
    order = expire(database, str(place(client, plan).json()["id"]))
    assert usage(client, budget) == {"held": "0.00", "spent": "0.00", "available": "1000.00"}

    assert late(client, order, plan.bought[0]).status_code == 201

    shown = show(client, order)
    assert (shown["status"], paid(shown)) == ("expired", Decimal(1000))
    assert usage(client, budget) == {"held": "0.00", "spent": "1000.00", "available": "0.00"}
    assert [(kind, word) for kind, _, word in movements(database)[-3:]] == [
        ("reserve", "late"), ("settle", "delivery"), ("settle", "bill"),
    ]  # fmt: skip


def test_one_file_delivers_all_late_patches(
    client: TestClient, expired: str, budget: str, plan: Planned
) -> None:
    answer = send_file(client, expired, mosaic(), accept_late=True)

    assert answer.status_code == 201, answer.text
    found = outcomes(answer)
    assert [found[one] for one in plan.bought] == ["superseded", "settled", "settled"]
    cost = client.get(f"/v1/plans/{plan.id}").json()["cost"]["amount"]
    assert (show(client, expired)["status"], usage(client, budget)["spent"]) == ("completed", cost)
    assert status(send_file(client, expired, mosaic(), accept_late=True)) == 200


def test_price_of_a_late_patch_is_added_to_the_bill(
    client: TestClient, expired: str, budget: str, plan: Planned
) -> None:
    before = Decimal(usage(client, budget)["spent"])
    assert late(client, expired, plan.bought[1], price="5.00").status_code == 201
    shown = show(client, expired)
    assert (shown["final_bill"]["basis"], paid(shown)) == ("prices", before + 5)

    share = Decimal(late(client, expired, plan.bought[2]).json()["settled"]["amount"])
    assert 3 < share < 5
    assert Decimal(usage(client, budget)["spent"]) == before + 5 + share


def test_late_patch_belongs_to_the_newer_order_of_its_plan(
    client: TestClient, expired: str, plan: Planned
) -> None:
    again = place(client, plan)
    assert again.status_code == 201, again.text

    answer = late(client, expired, plan.bought[1])

    assert code(answer) == (409, "plan-ordered-again")
    assert again.json()["id"] in answer.json()["detail"]


def test_cancelled_order_takes_no_late_patch(client: TestClient, order: str, plan: Planned) -> None:
    client.post(f"/v1/orders/{order}/cancel").raise_for_status()

    assert code(late(client, order, plan.bought[0])) == (409, "order-cancelled")


def test_accept_late_changes_nothing_for_an_open_order(
    client: TestClient, order: str, budget: str, plan: Planned
) -> None:
    assert late(client, order, plan.bought[0]).status_code == 201

    assert Decimal(usage(client, budget)["held"]) > Decimal(usage(client, budget)["spent"]) > 0
    assert "final_bill" not in show(client, order)


def test_racing_late_uploads_are_paid_once(
    client: TestClient, expired: str, budget: str, plan: Planned
) -> None:
    answers = race(4, lambda: status(late(client, expired, plan.bought[1])))

    assert sorted(answers) == [200, 200, 200, 201]
    assert usage(client, budget)["spent"] == show(client, expired)["amounts"]["settled"]["amount"]


def test_late_delivery_and_a_new_order_race(
    client: TestClient, expired: str, plan: Planned, database: Database
) -> None:
    runs = iter([True, False])

    def run() -> int:
        if next(runs):
            return status(send_file(client, expired, mosaic(), accept_late=True))
        return status(place(client, plan))

    answers = race(2, run)

    done = recorded_status(database, expired) == "completed"
    assert sorted(answers) == ([201, 409] if done or 409 in answers else [201, 201])


def test_invoices_agree_with_late_patches(client: TestClient, expired: str, plan: Planned) -> None:
    assert late(client, expired, plan.bought[1]).status_code == 201
    lines = [{"reference": expired, "amount": show(client, expired)["final_bill"]["billed"]["amount"]}]
    invoice = {
        "number": "R-1", "provider": "A provider", "date": "2026-11-30", "currency": "USD", "lines": lines,
    }  # fmt: skip
    assert client.post("/v1/invoices", json=invoice).status_code == 201

    assert client.get("/v1/invoices/differences").json()["items"] == []


@pytest.mark.parametrize(
    ("forgery", "rules"),
    [
        ("UPDATE late_bill SET billed_minor = billed_minor + 1", {"I21", "C4"}),
        ("UPDATE late_bill SET patches = patches + 1", {"I21", "C4"}),
        ("UPDATE late_bill SET number = 2", {"I13", "I21", "I23"}),
        ("UPDATE late_bill SET basis = 'prices'", {"C4"}),
        ("DELETE FROM late_bill", {"I13", "I21", "I23"}),
        ("UPDATE \"order\" SET status = 'user_cancelled'", {"I18", "I21"}),
        ("DELETE FROM order_status_change WHERE status = 'expired'", {"I18", "I21", "I23"}),
        ("UPDATE late_bill SET settled_minor = settled_minor + 1", {"I13", "I21", "C4"}),
    ],
)
def test_audit_finds_a_changed_late_bill(
    client: TestClient, expired: str, database: Database, forgery: str, rules: set[str], plan: Planned
) -> None:
    assert late(client, expired, plan.bought[1]).status_code == 201
    with database.sessions() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        genuine = {one.rule.split()[0] for one in audit_ledger(session)}
        assert genuine == {"C4"}  # time was made to pass in the history
        session.execute(text(forgery))

        assert {one.rule.split()[0] for one in audit_ledger(session)} - genuine == rules - genuine
        session.rollback()
