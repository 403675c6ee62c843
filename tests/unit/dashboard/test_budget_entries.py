"""Entries of the forms of budgets: read as the API reads its bodies, with each fault at its field."""

from dataclasses import replace
from datetime import date

import pytest

from service.dashboard.budget_entries import BudgetEntries, FieldsInvalidError, faults_of
from service.errors import ConflictError, InvalidInputError
from service.ledger.terms import FRESH, BudgetTerms, Enforcement, Period, changed_terms
from service.money import Money

FILLED_IN = BudgetEntries(
    name=" Harvest 2026 ",
    limit="500.00",
    currency="USD",
    period="month",
    starts_on="2026-11-01",
    enforcement="warn",
    thresholds="90, 50 %",
    tags="team = north\r\n\r\nseason=late autumn, wet\r\n",
    approval_above="12.50",
)
TERMS = BudgetTerms(
    period=Period.MONTH,
    starts_on=date(2026, 11, 1),
    enforcement=Enforcement.WARN,
    thresholds=(50, 90),
    tags={"team": "north", "season": "late autumn, wet"},
    approval_above=Money(12_50, "USD"),
)


def test_opening_has_the_name_the_limit_and_the_terms_of_the_form() -> None:
    wanted = FILLED_IN.opening()
    assert (wanted.name, wanted.limit.money()) == ("Harvest 2026", Money(500_00, "USD"))
    assert changed_terms(FRESH, wanted.changes("USD")) == TERMS


def test_form_of_a_budget_changes_nothing_unless_somebody_does() -> None:
    change = BudgetEntries.of(Money(500_00, "USD"), TERMS).change(TERMS.tags)
    assert change.new_limit(Money(1, "USD")) == Money(500_00, "USD")
    assert changed_terms(TERMS, change.changes("USD")) == TERMS


def test_emptied_fields_restore_the_terms_of_a_new_budget() -> None:
    emptied = BudgetEntries(limit="500.00", currency="USD")
    assert changed_terms(TERMS, emptied.change(TERMS.tags).changes("USD")) == FRESH


@pytest.mark.parametrize(
    ("field", "entry", "words"),
    [
        ("name", " ", "A budget needs a name"),
        ("name", "n" * 101, "It should have at most 100 characters."),
        ("limit", "", "A budget needs a limit."),
        ("limit", "1,234.50", "Write an amount such as 12.50"),
        ("limit", "0.001", "too many decimals: USD has at most 2"),
        ("limit", "-1", "Write an amount such as 12.50"),
        ("currency", "XYZ", "not a currency"),
        ("currency", "", "A budget needs a currency."),
        ("period", "week", "It should be"),
        ("starts_on", "30.11.2026", "A day is a text like"),
        ("ends_on", "2026-02-30", "2026-02-30 is not a day of the calendar."),
        ("enforcement", "maybe", "It should be"),
        ("thresholds", "half", "'half' is not a percentage."),
        ("thresholds", "9" * 5_000, "is not a percentage."),
        ("thresholds", "201", "It should be less than or equal to 200."),
        ("thresholds", ",".join(map(str, range(1, 12))), "It should have at most 10 items"),
        ("tags", "north", "A tag is written as NAME=VALUE."),
        ("tags", "team=north\nteam = south", "The tag team stands there twice."),
        ("tags", "team=" + "n" * 101, "It should have at most 100 characters."),
        ("approval_above", "12.345", "too many decimals"),
    ],
)
def test_fault_stands_at_its_field(field: str, entry: str, words: str) -> None:
    with pytest.raises(FieldsInvalidError) as refused:
        replace(FILLED_IN, **{field: entry}).opening()
    assert list(faults_of(refused.value)) == [field]
    assert words in faults_of(refused.value)[field]


def test_all_faults_are_named_at_once() -> None:
    wrong = replace(FILLED_IN, limit="much", thresholds="half", tags="north")
    with pytest.raises(FieldsInvalidError, match="Correct the fields: Limit, Thresholds, Tags"):
        wrong.opening()


def test_refusal_of_the_ledger_stands_at_the_field_that_it_is_about() -> None:
    taken = ConflictError("This workspace already has a budget named 'A'. Choose another name.")
    assert list(faults_of(taken)) == ["name"]
    assert faults_of(InvalidInputError("Something else.")) == {}
    assert faults_of(None) == {}


def test_own_entries_stay_on_top_of_the_changes_of_others() -> None:
    base = BudgetEntries.of(Money(500_00, "USD"), TERMS)
    mine = replace(base, limit="600.00", tags=base.tags.replace("\n", "\r\n"))
    now = replace(base, tags="team=south", thresholds="75")
    assert mine.on_top_of(now, base) == replace(now, limit="600.00")
