"""Lists as files: CSV, Parquet, and the choice between them and JSON."""

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import Depends, Header, Query, Response

from service.web.negotiation import JSON, preferred
from service.web.openapi import file_answer_of

Form = Literal["json", "csv", "parquet"]
Kind = Literal["text", "integer", "money", "time", "tags"]
"""Type of a column: `money` is a Decimal in major units, `tags` a mapping of text to text."""
Columns = Mapping[str, Kind]
Row = Sequence[object]

MEDIA_TYPES: Mapping[Form, str] = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
FORMULA = re.compile(r"(^|;\s*)([=+\-@\t\r\uff1d\uff0b\uff0d\uff20])")
FILE_ROWS = 10_000
"""Most rows in one file; the header `Link` leads to the next."""


def files_of(columns: Columns, by_group: Columns | None = None) -> dict[int | str, dict[str, Any]]:
    """Return the entry in the OpenAPI document for a list that also comes as a file, whole or by group."""
    named = f"Columns: {', '.join(columns)}."
    if by_group is not None:
        named += f" With `group_by` or `step`: {', '.join(by_group)}."
    table = f"CSV (RFC 4180) in UTF-8 with a header row. {named}"
    stored = f"Apache Parquet; amounts are decimal(38, 4), times UTC microseconds. {named}"
    content = file_answer_of(MEDIA_TYPES["csv"], table) | file_answer_of(MEDIA_TYPES["parquet"], stored)
    return {200: {"content": content}}


def wanted_form(
    form: Annotated[
        Form | None,
        Query(alias="format", description="Form of the answer. Without it, the header `Accept` decides."),
    ] = None,
    accept: Annotated[
        str, Header(description="Media type of the answer: JSON, CSV or Apache Parquet.")
    ] = "*/*",
) -> Form:
    """Return the form that `?format=` names, else the header Accept, else JSON."""
    if form is not None:
        return form
    wanted = preferred(accept, [JSON, *MEDIA_TYPES.values()])
    return next((one for one, media_type in MEDIA_TYPES.items() if media_type == wanted), "json")


FormDep = Annotated[Form, Depends(wanted_form)]


def file_answer(form: Form, name: str, columns: Columns, rows: Iterable[Row]) -> Response:
    """Send rows as a file `name` in CSV or Parquet."""
    content = to_parquet(columns, rows) if form == "parquet" else to_csv(columns, rows)
    disposition = {"Content-Disposition": f'attachment; filename="{name}.{form}"'}
    return Response(content, media_type=MEDIA_TYPES[form], headers=disposition)


def to_csv(columns: Columns, rows: Iterable[Row]) -> str:
    """Write RFC 4180 text with a header row; unknown values are left empty."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def to_parquet(columns: Columns, rows: Iterable[Row]) -> bytes:
    """Write an Apache Parquet file; money is decimal(38, 4), times are UTC microseconds."""
    import pyarrow as pa  # noqa: PLC0415  (takes a third of a second: only imported for a Parquet file)
    from pyarrow import parquet  # noqa: PLC0415  (as above)

    types = {
        "text": pa.string(),
        "integer": pa.int64(),
        "money": pa.decimal128(38, 4),
        "time": pa.timestamp("us", "UTC"),
        "tags": pa.map_(pa.string(), pa.string()),
    }
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    names, kinds = list(columns), list(columns.values())
    records = [dict(zip(names, map(_stored, kinds, row), strict=True)) for row in rows]
    out = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(records, schema=schema), out)
    return out.getvalue()


def harmless(cell: str) -> str:
    """Quote what a spreadsheet would run as a formula: also after a semicolon, which divides cells in
    countries that write a decimal comma, and in the wide characters of East Asia."""
    return FORMULA.sub(r"\1'\2", cell)


def _cell(value: object) -> object:
    match value:
        case datetime():
            return value.isoformat()
        case Mapping():
            # A semicolon before a formula would divide the cell; as a code it is the same JSON.
            return re.sub(r";(?=\s*[=+\-@])", r"\\u003b", json.dumps(value))
        case str():
            return harmless(value)
        case _:
            return value


def _stored(kind: Kind, value: object) -> object:
    if value is None:
        return None
    if kind == "tags" and isinstance(value, Mapping):
        return list(value.items())
    return str(value) if kind == "text" else Decimal(str(value)) if kind == "money" else value
