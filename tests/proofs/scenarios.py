"""Promises of the ledger's functions, each checked in a transaction that is rolled back."""

from collections.abc import Callable

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from tests.proofs.attacks import reason
from tests.proofs.budget_scenarios import (
    adjusts_no_order_of_another_workspace,
    begins_a_period_once,
    charges_an_order_no_more_than_an_amount_can_be,
    charges_up_to_the_amount_of_one_holder,
    counts_what_was_spent_before_a_day,
    gives_back_no_more_than_was_paid,
    holds_all_that_a_budget_has,
    knows_no_budget_of_another_workspace,
    knows_no_hold_that_was_never_made,
    leaves_no_violation,
    lets_through_no_more_than_is_missing,
    locks_no_budget_of_another_workspace,
    loosens_no_budget_around_another_threshold,
    loosens_terms_with_another_holder,
    opens_a_budget_of_nothing,
    opens_a_second_budget,
    opens_no_budget_around_another_threshold,
    pays_from_its_first_day_to_its_last,
    posts_no_movement_that_is_not_there,
    posts_to_no_budget_that_is_not_there,
    reads_no_budget_without_terms,
    refuses_a_limit_below_what_is_used,
    refuses_what_a_budget_has_not,
    refuses_what_a_hold_has_not,
    uses_a_hold_in_two_ways_only,
    uses_all_that_a_hold_has,
)
from tests.proofs.budget_scene import Scene, set_scene
from tests.proofs.evidence_scenarios import (
    finds_its_tables_from_wherever_it_is_called,
    finds_plans_by_their_text_alone,
    keeps_all_of_a_file_but_its_pixels,
    keeps_evidence_of_every_row,
    keeps_jobs_ended,
    keeps_keys_revoked,
    keeps_the_deadline_of_the_history,
    keeps_what_is_set_once,
    keeps_what_was_answered,
)
from tests.proofs.month_scenarios import (
    closes_months_of_each_workspace,
    closes_months_one_after_the_other,
    posts_nothing_in_a_closed_month,
)

SCENARIOS: tuple[Callable[[Scene], None], ...] = (
    refuses_what_a_budget_has_not, holds_all_that_a_budget_has, refuses_what_a_hold_has_not,
    uses_all_that_a_hold_has, knows_no_budget_of_another_workspace, knows_no_hold_that_was_never_made,
    uses_a_hold_in_two_ways_only, posts_to_no_budget_that_is_not_there, posts_no_movement_that_is_not_there,
    opens_a_second_budget, opens_a_budget_of_nothing, refuses_a_limit_below_what_is_used,
    pays_from_its_first_day_to_its_last, lets_through_no_more_than_is_missing, begins_a_period_once,
    reads_no_budget_without_terms, locks_no_budget_of_another_workspace, gives_back_no_more_than_was_paid,
    adjusts_no_order_of_another_workspace, charges_up_to_the_amount_of_one_holder,
    charges_an_order_no_more_than_an_amount_can_be, loosens_terms_with_another_holder,
    loosens_no_budget_around_another_threshold,
    opens_no_budget_around_another_threshold, counts_what_was_spent_before_a_day,
    closes_months_one_after_the_other, closes_months_of_each_workspace,
    posts_nothing_in_a_closed_month, keeps_evidence_of_every_row, keeps_what_was_answered, keeps_keys_revoked,
    keeps_jobs_ended, keeps_all_of_a_file_but_its_pixels, keeps_what_is_set_once,
    keeps_the_deadline_of_the_history,
    finds_its_tables_from_wherever_it_is_called, finds_plans_by_their_text_alone, leaves_no_violation,
)  # fmt: skip


def play(session: Session, scenario: Callable[[Scene], None]) -> str | None:
    """Check one promise and undo it; return how it was broken, or None."""
    savepoint = session.begin_nested()
    try:
        scenario(set_scene(session))
    except (Exception, pytest.fail.Exception) as broken:
        return in_brief(broken)
    finally:
        savepoint.rollback()
    return None


def in_brief(broken: BaseException) -> str:
    """Describe an error in one line; for an error of the database, by its reason."""
    if isinstance(broken, DBAPIError) and isinstance(broken.orig, psycopg.Error):
        return reason(broken.orig)
    return f"{type(broken).__name__}: {str(broken).split(chr(10))[0]}"
