"""Every table in 80 columns: no amount, id or word of a heading is broken."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Group
from rich.padding import Padding
from rich.text import Text
from rich.tree import Tree

from service.terminal import tables
from service.terminal.tables import Card, Columns, columns, facts
from tests.support.terminal import shown
from tests.support.wide_documents import VIEWS

WIDTH = 80
AMOUNT = re.compile(r"[\d,]+\.\d\d USD")
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{64}|INV-\d+-\d+")
BROKEN = re.compile(r"[\d,]+\.\d\d$|^\W*USD(?!:)")
"""End of a line in the middle of an amount, or its start."""
TERMINAL = Path(tables.__file__).parent


def found_tables(content: object) -> Iterator[Card | Columns]:
    """Yield every table inside a renderable."""
    if isinstance(content, Card | Columns):
        yield content
    elif isinstance(content, Group):
        for one in content.renderables:
            yield from found_tables(one)
    elif isinstance(content, Padding):
        yield from found_tables(content.renderable)
    elif isinstance(content, Tree):
        for one in (content.label, *content.children):
            yield from found_tables(one)


def whole(table: Card | Columns) -> Iterator[str]:
    """Yield the amounts and ids in the cells of a table, and the words of its headings."""
    titles = table.titles if isinstance(table, Columns) else [name for name, _ in table.rows]
    for number, title in enumerate(titles):
        if isinstance(table, Card) or any(row[number] for row in table.rows):
            yield from title.split()
    for cell in (cell for row in table.rows for cell in row):
        yield from AMOUNT.findall(str(cell))
        yield from ID.findall(str(cell))


@pytest.mark.parametrize("view", VIEWS)
def test_view_breaks_no_amount_id_or_heading_in_80_columns(view: str) -> None:
    content = VIEWS[view]()
    lines = shown(content, WIDTH)
    expected = {one for table in found_tables(content) for one in whole(table)}

    assert expected
    assert [one for one in expected if not any(one in line for line in lines)] == []
    assert [line for line in lines if len(line) > WIDTH or BROKEN.search(line)] == []
    assert tables.GLUE not in "".join(lines)


def test_every_view_with_a_table_is_looked_at() -> None:
    made = {
        node.name
        for path in TERMINAL.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.endswith(("_view", "_table"))
    }

    assert made - {"_table"} <= set(VIEWS)


def test_tables_are_made_in_one_place() -> None:
    own = {"tables.py", "blocks.py"}  # blocks.py draws grids of tiles
    files = [path for folder in (TERMINAL, TERMINAL.parent / "cli") for path in folder.glob("*.py")]

    assert [path.name for path in files if "rich.table" in path.read_text() and path.name not in own] == []


def test_table_that_fits_keeps_its_lines() -> None:
    table = columns(("Budget", "Limit"), [("harvest", "5.00 USD"), ("a", "1,234.00 USD")], right={"Limit"})

    assert shown(table, 22) == ["Budget          Limit", "harvest      5.00 USD", "a        1,234.00 USD"]


def test_text_wraps_at_words_before_anything_else_gives_way() -> None:
    table = columns(("Reason", "Amount"), [("came late and cloudy", "1,234.00 USD")])

    assert shown(table, 26) == ["Reason        Amount", "came late     1,234.00 USD", "and cloudy"]


def test_empty_column_gives_way_first() -> None:
    table = columns(("Plan", "Saving", "Name"), [("7d9f0a52", "12.50 USD", "")])

    assert shown(table, 20) == ["Plan      Saving", "7d9f0a52  12.50 USD"]


def test_rows_that_do_not_fit_become_blocks() -> None:
    table = columns(
        ("Plan", "Cost", "Name"), [("7d9f0a52", "12.50 USD", ""), ("0b6f1c1e", "9.00 USD", "May")]
    )

    assert shown(table, 19) == [
        "Plan  7d9f0a52",
        "Cost  12.50 USD",
        "",
        "Plan  0b6f1c1e",
        "Cost  9.00 USD",
        "Name  May",
    ]


def test_value_that_does_not_fit_beside_its_name_stands_below() -> None:
    assert shown(facts([("Reference and hash", "0123456789abcdef" * 2)]), 40) == [
        "Reference and hash",
        "  0123456789abcdef0123456789abcdef",
    ]


def test_facts_break_no_amount() -> None:
    lines = shown(facts([("Money", "0.00 USD settled, 1,234.00 USD held")]), 32)

    assert lines == ["Money  0.00 USD settled,", "       1,234.00 USD held"]


def test_long_word_is_broken_where_a_column_is_narrow() -> None:
    lines = shown(columns(("File", "Paid"), [("z" * 60, "12.50 USD")]), 40)

    assert all(len(line) <= 40 for line in lines)
    assert "".join(re.findall("z+", " ".join(lines))) == "z" * 60


def test_heading_alone_is_shown() -> None:
    assert shown(columns(("Order", "Status"), [])) == ["Order  Status"]


def test_cells_are_no_markup() -> None:
    assert shown(Group(columns(("Name",), [("[bold]north",)]), Text("end"))) == ["Name", "[bold]north", "end"]
