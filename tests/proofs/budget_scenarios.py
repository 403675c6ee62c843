"""Promises about budgets and holds, each checked as in `scenarios`."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from service.access.repository import create_workspace
from service.errors import NotFoundError
from service.ledger import writer
from service.ledger.book import Account, Movement
from service.ledger.proposals import newest_proposal
from service.ledger.refusals import (
    ApprovalAboveNeededError,
    BudgetExceededError,
    BudgetNotValidError,
    HoldExceededError,
    LimitBelowUseError,
    RefundExceedsPaymentError,
    SumTooLargeError,
)
from service.ledger.repository import violations
from service.ledger.terms import BudgetTerms, Enforcement, Period
from tests.proofs.books import balances, open_budget
from tests.proofs.budget_scene import LIMIT, Scene
from tests.support.money import cents


def refuses_what_a_budget_has_not(scene: Scene) -> None:
    with (
        pytest.raises(BudgetExceededError, match=r"has 6\.00 USD available; 6\.01 USD is needed"),
        scene.session.begin_nested(),
    ):
        writer.reserve(scene.session, scene.workspace, scene.budget, cents(601), "order:2")
    assert scene.has(600, 400, 0)


def holds_all_that_a_budget_has(scene: Scene) -> None:
    writer.reserve(scene.session, scene.workspace, scene.budget, cents(600), "order:2")
    assert scene.has(0, 1_000, 0)


def refuses_what_a_hold_has_not(scene: Scene) -> None:
    writer.settle(scene.session, scene.hold, cents(300), "delivery:1")
    for use in (writer.settle, writer.release):
        with (
            pytest.raises(HoldExceededError, match=r"has 1\.00 USD left; 1\.01 USD was requested"),
            scene.session.begin_nested(),
        ):
            use(scene.session, scene.hold, cents(101), "delivery:2")
    assert scene.has(600, 100, 300)


def uses_all_that_a_hold_has(scene: Scene) -> None:
    writer.settle(scene.session, scene.hold, cents(150), "delivery:1")
    writer.release(scene.session, scene.hold, cents(250), "order:1")
    assert scene.has(850, 0, 150)


def knows_no_budget_of_another_workspace(scene: Scene) -> None:
    elsewhere = create_workspace(scene.session, str(uuid4())).id
    for workspace, budget in ((elsewhere, scene.budget), (scene.workspace, uuid4())):
        with pytest.raises(NotFoundError), scene.session.begin_nested():
            writer.reserve(scene.session, workspace, budget, cents(1), "order:2")


def knows_no_hold_that_was_never_made(scene: Scene) -> None:
    with pytest.raises(DBAPIError, match="no-hold"), scene.session.begin_nested():
        scene.call("use_hold", kind="settle", hold=uuid4(), amount=1, reference="delivery:1")
    with pytest.raises(NotFoundError), scene.session.begin_nested():
        writer.settle(scene.session, uuid4(), cents(1), "delivery:1")


def uses_a_hold_in_two_ways_only(scene: Scene) -> None:
    with pytest.raises(DBAPIError, match="unknown-use"):
        scene.call("use_hold", kind="reserve", hold=scene.hold, amount=1, reference="order:3")


def posts_to_no_budget_that_is_not_there(scene: Scene) -> None:
    with pytest.raises(DBAPIError, match="no-budget"):
        scene.call("post", kind="fund", budget=uuid4(), amount=1, hold=None, reference="x")


def posts_no_movement_that_is_not_there(scene: Scene) -> None:
    with pytest.raises(DBAPIError, match="query returned no rows"):
        scene.call("post", kind="gift", budget=scene.budget, amount=1, hold=None, reference="x")


def opens_a_second_budget(scene: Scene) -> None:
    open_budget(scene.session, scene.workspace, "second", 1)
    assert scene.has(600, 400, 0)


def opens_a_budget_of_nothing(scene: Scene) -> None:
    empty = open_budget(scene.session, scene.workspace, "empty", 0)
    assert balances(scene.session, scene.workspace)[empty] == dict.fromkeys(Account, 0)


def refuses_a_limit_below_what_is_used(scene: Scene) -> None:
    with (
        pytest.raises(LimitBelowUseError, match=r"4\.00 USD of the budget is held"),
        scene.session.begin_nested(),
    ):
        writer.change_budget(scene.session, scene.workspace, scene.budget, cents(399), BudgetTerms())
    writer.change_budget(scene.session, scene.workspace, scene.budget, cents(400), BudgetTerms())
    assert scene.has(0, 400, 0)


def pays_from_its_first_day_to_its_last(scene: Scene) -> None:
    today = scene.session.execute(text("SELECT ledger.today()")).scalar_one()
    day = timedelta(days=1)
    for first, last, pays in ((today, today, True), (today + day, None, False), (None, today - day, False)):
        budget = scene.open(BudgetTerms(starts_on=first, ends_on=last))
        refusal = nullcontext() if pays else pytest.raises(BudgetNotValidError)
        with refusal, scene.session.begin_nested():
            writer.reserve(scene.session, scene.workspace, budget, cents(1), f"order:{budget}")


def lets_through_no_more_than_is_missing(scene: Scene) -> None:
    for minor, granted in ((LIMIT - 1, LIMIT), (LIMIT, LIMIT), (LIMIT + 1, LIMIT + 1)):
        budget = scene.open(BudgetTerms(enforcement=Enforcement.WARN))
        writer.reserve(scene.session, scene.workspace, budget, cents(minor), f"order:{budget}")
        found = balances(scene.session, scene.workspace)[budget]
        assert (found[Account.FUNDING], found[Account.RESERVED]) == (-granted, minor)


def begins_a_period_once(scene: Scene) -> None:
    budget = scene.open(BudgetTerms(period=Period.MONTH))
    for number in range(2):
        writer.reserve(scene.session, scene.workspace, budget, cents(LIMIT // 2), f"order:{budget}/{number}")
    assert scene.versions(budget) == 1
    scene.session.execute(text("SET LOCAL session_replication_role = replica"))
    scene.session.execute(text("UPDATE ledger.budget_terms SET period_starts_on = '2000-01-01'"))
    scene.session.execute(text("SET LOCAL session_replication_role = origin"))
    for _ in range(2):  # nothing is available, so there is no rest to take back
        writer.lock_budget(scene.session, scene.workspace, budget)
    assert scene.versions(budget) == 2


def reads_no_budget_without_terms(scene: Scene) -> None:
    insert = (
        "INSERT INTO ledger.budget (workspace_id, name, currency) VALUES (:id, 'bare', 'USD') RETURNING id"
    )
    bare = scene.session.execute(text(insert), {"id": scene.workspace}).scalar_one()
    for function, values in (
        ("lock_budget", {"workspace": scene.workspace, "budget": bare}),
        ("let_through", {"budget": bare, "amount": 1, "reference": "x"}),
    ):
        with pytest.raises(DBAPIError, match="query returned no rows"), scene.session.begin_nested():
            scene.call(function, **values)


def locks_no_budget_of_another_workspace(scene: Scene) -> None:
    for workspace, budget in ((uuid4(), scene.budget), (scene.workspace, uuid4())):
        with pytest.raises(DBAPIError, match="no-budget"), scene.session.begin_nested():
            scene.call("lock_budget", workspace=workspace, budget=budget)


def gives_back_no_more_than_was_paid(scene: Scene) -> None:
    """Check the order of `make_world`: 3.30 paid, 0.50 charged, 1.00 refunded, half of it for a patch."""
    workspace, order = scene.delivered()
    for place, paid in ((None, 280), ((0, 0), 250), ((1, 0), 20), ((0, 1), 10)):
        tile, patch = place or (None, None)
        assert scene.call("refundable", order=order, tile=tile, patch=patch) == paid
        with pytest.raises(RefundExceedsPaymentError), scene.session.begin_nested():
            writer.adjust(scene.session, workspace, order, Movement.REFUND, cents(paid + 1), "x", place=place)
        with scene.session.begin_nested() as undone:
            writer.adjust(scene.session, workspace, order, Movement.REFUND, cents(paid), "x", place=place)
            undone.rollback()
    with pytest.raises(DBAPIError, match="no-delivery"), scene.session.begin_nested():
        scene.call("refundable", order=order, tile=0, patch=5)


def adjusts_no_order_of_another_workspace(scene: Scene) -> None:
    workspace, order = scene.delivered()
    for claimed, wanted in ((scene.workspace, order), (workspace, uuid4())):
        with pytest.raises(DBAPIError, match="no-order"), scene.session.begin_nested():
            scene.adjust(claimed, wanted, "charge")


def charges_up_to_the_amount_of_one_holder(scene: Scene) -> None:
    """Check the budget of `make_world`, of which a holder spends 5.00 alone."""
    workspace, order = scene.delivered()
    charge = {"workspace": workspace, "order": order, "kind": "charge", "tile": None, "patch": None}
    key, other = scene.key(workspace), scene.key(workspace)
    for asking, minor, posted in ((key, 150, True), (key, 351, False), (other, 501, False)):
        number = scene.call("adjust", **charge, amount=minor, reason="x", key=asking)
        assert (number is not None) is posted
    with scene.session.begin_nested() as undone:
        assert scene.call("adjust", **charge, amount=350, reason="x", key=key) is not None
        undone.rollback()
    assert scene.adjust(workspace, order, "refund") is not None
    assert violations(scene.session) == []


def charges_an_order_no_more_than_an_amount_can_be(scene: Scene) -> None:
    """Check the order of `make_world`, to which 0.50 was charged, in a budget without a limit."""
    workspace, order = scene.delivered()
    query = text('SELECT budget_id FROM public."order" WHERE id = :id')
    budget = scene.session.execute(query, {"id": order}).scalar_one()
    free = '{"enforcement": "off", "approval_above_minor": null}'
    scene.call("put_in_force", budget=budget, terms=free, key=None, proposal=None)
    half = 5 * 10**17
    for kind, minor in (("charge", half), ("refund", half), ("charge", half - 51)):
        writer.adjust(scene.session, workspace, order, Movement(kind), cents(minor), "x")
    with pytest.raises(SumTooLargeError, match=r"with 0\.01 USD more, its charges would be above"):
        writer.adjust(scene.session, workspace, order, Movement.CHARGE, cents(1), "x")


def loosens_terms_with_another_holder(scene: Scene) -> None:
    strict = BudgetTerms(approval_above=cents(100))
    budget, key = scene.open(strict), scene.key(scene.workspace)
    for terms, limit, versions in (
        (replace(strict, thresholds=(50,)), LIMIT, 2),
        (BudgetTerms(), LIMIT, 2),
        (strict, LIMIT + 1, 2),
    ):
        writer.change_budget(scene.session, scene.workspace, budget, cents(limit), terms, key)
        assert scene.versions(budget) == versions
    proposal = newest_proposal(scene.session, scene.workspace, budget).id
    values = {"proposal": proposal, "approved": True, "note": None}
    elsewhere = create_workspace(scene.session, str(uuid4())).id
    for workspace, wanted in ((elsewhere, proposal), (scene.workspace, uuid4())):
        with pytest.raises(DBAPIError, match="no-proposal"), scene.session.begin_nested():
            scene.call("decide", workspace=workspace, **values | {"proposal": wanted}, key=key)
    with pytest.raises(DBAPIError, match="self-approval"), scene.session.begin_nested():
        scene.call("decide", workspace=scene.workspace, **values, key=key)
    scene.call("decide", workspace=scene.workspace, **values, key=scene.key(scene.workspace))
    assert scene.versions(budget) == 3
    assert violations(scene.session) == []


def loosens_no_budget_around_another_threshold(scene: Scene) -> None:
    """Raise the limit of the scene's budget, which has no threshold, before and after another one has."""
    workspace, free = scene.workspace, BudgetTerms()
    other = create_workspace(scene.session, str(uuid4())).id
    writer.create_budget(scene.session, other, "theirs", cents(5), BudgetTerms(approval_above=cents(0)))
    for limit, strict, versions in ((LIMIT + 1, None, 2), (LIMIT + 2, cents(100), 2), (LIMIT - 1, None, 3)):
        if strict is not None:
            scene.open(BudgetTerms(approval_above=strict))
        writer.change_budget(scene.session, workspace, scene.budget, cents(limit), free, scene.key(workspace))
        assert scene.versions(scene.budget) == versions
    assert violations(scene.session) == []


def opens_no_budget_around_another_threshold(scene: Scene) -> None:
    scene.open(BudgetTerms(approval_above=cents(100)))
    for terms in (BudgetTerms(), BudgetTerms(approval_above=cents(1))):
        with (
            pytest.raises(ApprovalAboveNeededError, match=r"opens with an approval_above of 0\.00 USD"),
            scene.session.begin_nested(),
        ):
            scene.open(terms)
    scene.open(BudgetTerms(approval_above=cents(0)))
    elsewhere = create_workspace(scene.session, str(uuid4())).id
    open_budget(scene.session, elsewhere, "theirs", 5)


def counts_what_was_spent_before_a_day(scene: Scene) -> None:
    writer.settle(scene.session, scene.hold, cents(30), "delivery:1")
    other = scene.open(BudgetTerms())
    today = scene.session.execute(text("SELECT ledger.today()")).scalar_one()
    tomorrow = today + timedelta(days=1)
    for budget, day, spent in ((scene.budget, tomorrow, 30), (scene.budget, today, 0), (other, tomorrow, 0)):
        assert scene.call("spent_before", budget=budget, day=day) == spent


def leaves_no_violation(scene: Scene) -> None:
    writer.release(scene.session, scene.hold, cents(100), "order:1")
    assert violations(scene.session) == []
