"""Import of many price lists as JSON or CSV. All faults are reported, and any fault rejects the file."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Depends
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from service.errors import InvalidInputError
from service.pricing.schemas import PriceListIn
from service.web.bodies import TextBodyDep
from service.web.parameters import repeated_members
from service.web.values import number_of

MOST_ROWS = 1_000
COLUMNS = tuple(PriceListIn.model_fields)
"""The permitted columns of a CSV, in any order; an empty cell means the default."""
FLAGS = frozenset({"areas_summed", "convex", "holes"})
"""Columns of truth values."""
COUNTS = frozenset({"max_vertices", "max_parts"})
"""Columns of whole numbers."""

Row = Mapping[str, Any]
Fault = dict[str, Any]


class ImportUnreadableError(InvalidInputError):
    """The error for a file that is not a table of price lists."""

    code = "import-unreadable"
    title = "File of price lists not readable"


def read_import(body: TextBodyDep) -> list[PriceListIn]:
    """Read the body: `text/csv`, else JSON. Raises ImportUnreadableError, RequestValidationError."""
    text = body.text(ImportUnreadableError)
    return check_rows(read_csv(text) if body.is_csv else read_json(text))


ImportDep = Annotated[list[PriceListIn], Depends(read_import)]


def read_json(text: str) -> list[tuple[int, Row]]:
    """Return the members of a JSON array, numbered from 1."""
    try:
        rows = json.loads(text, parse_float=Decimal)  # no float rounds a price
    except (ValueError, RecursionError) as error:
        raise ImportUnreadableError(f"The file is not JSON: {error}.") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ImportUnreadableError("The file is not a JSON array of price lists.")
    if repeated := repeated_members(text):
        raise ImportUnreadableError(f"A price list gives {repeated[0]} more than once. Give it once.")
    return list(enumerate(rows, start=1))


def read_csv(text: str) -> list[tuple[int, Row]]:
    """Return the rows of a CSV, numbered as in a spreadsheet; the first row names the columns."""
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        table = [(number, line) for number, line in enumerate(lines, start=1) if any(map(str.strip, line))]
    except csv.Error as error:
        raise ImportUnreadableError(f"The file is not CSV: line {lines.line_num}: {error}.") from error
    if not table:
        raise ImportUnreadableError("The file is empty.")
    header = [name.strip() for name in table[0][1]]
    _check_header(header)
    if long := [number for number, line in table if len(line) > len(header)]:
        raise ImportUnreadableError(f"Row {long[0]} has more cells than the first row has columns.")
    return [(number, _cells(header, line)) for number, line in table[1:]]


def check_rows(rows: list[tuple[int, Row]]) -> list[PriceListIn]:
    """Return the price lists. RequestValidationError lists every fault, each at /rows/<number>/<column>."""
    if not 0 < len(rows) <= MOST_ROWS:
        raise ImportUnreadableError(
            f"The file has {len(rows)} price lists. Send 1 to {MOST_ROWS}.", rows=len(rows)
        )
    lists: dict[int, PriceListIn] = {}
    faults: list[Fault] = []
    for number, row in rows:
        try:
            lists[number] = PriceListIn.model_validate(row)
        except ValidationError as error:
            faults += [_fault(number, one["loc"], one["type"], one["msg"]) for one in error.errors()]
    faults += _repeated(lists)
    if faults:
        raise RequestValidationError(faults)
    return list(lists.values())


def _check_header(header: list[str]) -> None:
    if unknown := [name for name in header if name not in COLUMNS]:
        raise ImportUnreadableError(
            f"Unknown columns: {', '.join(map(repr, unknown[:5]))}. Permitted are {', '.join(COLUMNS)}.",
            columns=list(COLUMNS),
        )
    if len(set(header)) < len(header):
        raise ImportUnreadableError("Two columns have the same name.")


def _cells(header: list[str], line: list[str]) -> Row:
    row: dict[str, Any] = {
        name: cell.strip() for name, cell in zip(header, line, strict=False) if cell.strip()
    }
    for name in row.keys() & FLAGS:
        row[name] = {"true": True, "false": False}.get(row[name].lower(), row[name])
    for name in row.keys() & COUNTS:
        row[name] = number_of(row[name])
    if "tiers" in row:
        row["tiers"] = [_tier(text) for text in row["tiers"].split(";") if text.strip()]
    return row


def _tier(text: str) -> Row:
    """Read "500:7": beyond 500 km2 each square kilometre costs 7."""
    above, _, price = text.partition(":")
    return {"above_km2": above.strip(), "price_per_km2": price.strip()}


def _repeated(lists: Mapping[int, PriceListIn]) -> Iterable[Fault]:
    """Report rows of the same name: it would be unclear which is the newer version."""
    first: dict[str, int] = {}
    for number, one in lists.items():
        before = first.setdefault(one.name, number)
        if before != number:
            yield _fault(number, ("name",), "name_repeated", f"Row {before} has the same name.")


def _fault(number: int, place: tuple[str | int, ...], code: str, message: str) -> Fault:
    return {"loc": ("rows", number, *place), "type": code, "msg": f"Row {number}: {message}", "input": None}
