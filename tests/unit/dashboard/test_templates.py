"""Rules that every template of the dashboard keeps."""

import html
import re
from pathlib import Path

import pytest

from service.dashboard import rendering

TEMPLATES = sorted((Path(rendering.__file__).parent / "templates").glob("*.html"))
GOOD_NEWS = ("Nothing was refused.",)
"""Empty lists after which nobody has anything to do."""
NO_STEP = (
    "has no evaluation curve",  # of a bundle: nobody but its maker can measure it
    "The plan's bundle has no evaluation curve on this server",
    "This server has no bundle.",  # the operator adds one on the machine
    "The order moved no money.",  # the link to the ledger follows
    "There are no terms before these.",  # the button "Newest terms" follows
)
"""Empty lists from which no page leads on."""


def empty_states() -> list[tuple[str, str]]:
    """Return the markup of every empty state, with the name of its template."""
    state = re.compile(r'<div class="sheet empty.*?</div>', re.DOTALL)
    return [(path.name, block) for path in TEMPLATES for block in state.findall(path.read_text())]


def test_every_empty_state_leads_on_by_a_link() -> None:
    exempt = (*GOOD_NEWS, *NO_STEP)
    states = [(name, block) for name, block in empty_states() if not any(one in block for one in exempt)]
    lead = re.compile(r'<a href="|\{\{ (first_(budget|plan|order)|true_labels)\(')
    assert len(states) > 20
    assert [(name, block) for name, block in states if not lead.search(block)] == []


@pytest.mark.parametrize("words", [*GOOD_NEWS, *NO_STEP])
def test_every_exemption_is_still_needed(words: str) -> None:
    assert any(words in block for _, block in empty_states())


def test_filters_have_plain_buttons() -> None:
    form = re.compile(r'<form class="sheet filters".*?</form>', re.DOTALL)
    filters = [block for path in TEMPLATES for block in form.findall(path.read_text())]
    assert len(filters) > 5
    assert [block for block in filters if "primary" in block] == []


def test_times_are_written_in_one_place() -> None:
    assert [path.name for path in TEMPLATES if "| when" in path.read_text()] == ["tables.html"]


def headings_and_labels(table: str) -> tuple[set[str], list[str]]:
    """Return what the columns of a table are called, and what its cells are called where a row is a card."""
    head, body = table.split("</thead>")
    named = re.sub(r'\{\{ word\("([^"]*)"(?:, "([^"]*)")?\) \}\}', lambda word: word[2] or word[1], head)
    headings = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', named, re.DOTALL)
    labels = re.findall(r'data-label="((?:[^"{]|\{\{.*?\}\}|\{%.*?%\})*)"', body)
    return {html.unescape(one) for one in headings}, [html.unescape(one) for one in labels]


def test_cells_of_cards_are_called_as_their_columns() -> None:
    found = re.compile(r'<table class="cards[^"]*">.*?</table>', re.DOTALL)
    tables = [(path.name, table) for path in TEMPLATES for table in found.findall(path.read_text())]
    assert len(tables) > 20
    compared = [(name, *headings_and_labels(table)) for name, table in tables]
    assert [
        (name, label) for name, headings, labels in compared for label in labels if label not in headings
    ] == []


def test_pages_that_lead_to_themselves_say_here() -> None:
    for name, first in (("budgets.html", "first_budget"), ("plans.html", "first_plan")):
        calls = re.findall(rf"\{{\{{ {first}\((.*?)\)", (TEMPLATES[0].parent / name).read_text())
        assert calls == ["here=true"], name
