"""Rows as CSV and as Parquet hold the same values."""

import csv
import io
import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from pyarrow import parquet

from service.web.tabular import Columns, Form, Row, to_csv, to_parquet, wanted_form

COLUMNS: Columns = {
    "id": "text",
    "name": "text",
    "seq": "integer",
    "cost": "money",
    "at": "time",
    "tags": "tags",
}
AT = datetime(2026, 11, 25, 1, 2, 3, 456789, tzinfo=UTC)
KEY = UUID(int=7)
ROWS: list[Row] = [
    (KEY, "=1+1", 1, Decimal("-0.100"), AT, {"plan": "p"}),
    (None, None, None, None, None, None),
]


def test_parquet_keeps_types_and_exact_money() -> None:
    table = parquet.read_table(io.BytesIO(to_parquet(COLUMNS, ROWS)))

    assert table.column_names == list(COLUMNS)
    types = ["string", "string", "int64", "decimal128(38, 4)", "timestamp[us, tz=UTC]"]
    assert [str(one) for one in table.schema.types[:-1]] == types
    first, empty = table.to_pylist()
    assert list(first.values()) == [str(KEY), "=1+1", 1, Decimal("-0.1"), AT, [("plan", "p")]]
    assert set(empty.values()) == {None}


def test_file_without_rows_has_its_columns() -> None:
    table = parquet.read_table(io.BytesIO(to_parquet(COLUMNS, [])))

    assert (table.num_rows, table.column_names) == (0, list(COLUMNS))
    assert to_csv(COLUMNS, []).splitlines() == [",".join(COLUMNS)]


def test_csv_quotes_formulas_and_keeps_negative_amounts() -> None:
    first, empty = list(csv.reader(io.StringIO(to_csv(COLUMNS, ROWS))))[1:]

    assert first == [str(KEY), "'=1+1", "1", "-0.100", AT.isoformat(), '{"plan": "p"}']
    assert empty == [""] * len(COLUMNS)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\uff1d1+1", "'\uff1d1+1"),  # Excel runs wide characters too
        ("\uff201", "'\uff201"),
        ("x;=1+1;y", "x;'=1+1;y"),  # where a comma is decimal, a semicolon divides cells
        ("x; @a", "x; '@a"),
        ("north-south", "north-south"),
        ("a=b; c", "a=b; c"),
    ],
)
def test_csv_has_no_cell_that_a_spreadsheet_runs(text: str, written: str) -> None:
    tags = {"note": text}
    _, row = list(csv.reader(io.StringIO(to_csv(COLUMNS, [(KEY, text, 1, None, AT, tags)]))))

    assert row[1] == written
    assert json.loads(row[-1]) == tags
    assert re.search(r"(^|;\s*)[=+@-]", row[1] + row[-1]) is None


@pytest.mark.parametrize(
    ("form", "accept", "wanted"),
    [
        (None, "*/*", "json"),
        (None, "text/csv;q=0.9", "csv"),
        (None, "application/vnd.apache.parquet", "parquet"),
        ("csv", "application/vnd.apache.parquet", "csv"),
    ],
)
def test_wanted_form_prefers_the_query_to_the_header(form: Form | None, accept: str, wanted: Form) -> None:
    assert wanted_form(form, accept) == wanted
