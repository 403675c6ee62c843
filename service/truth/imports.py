"""True labels read from a request: JSON, or CSV with one row for each tile."""

import csv
import io
import json
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from service.errors import InvalidInputError
from service.truth.schemas import TRUTH_COLUMNS, TruthIn
from service.web.parameters import repeated_members

MOST_BYTES = 16 * 2**20
"""Largest body that is read."""
READ = ("tile", "true_label")
"""The columns of a CSV that are read; the other columns of the exported file may stand beside them."""


class TruthUnreadableError(InvalidInputError):
    """The error for a body that holds no true labels."""

    code = "truth-unreadable"
    title = "True labels not readable"


async def read_truth(request: Request) -> TruthIn:
    """Read the body: `text/csv`, else JSON. Raises TruthUnreadableError, RequestValidationError."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        text = (await request.body()).decode("utf-8-sig")  # spreadsheets write a byte order mark first
    except UnicodeDecodeError as error:
        raise TruthUnreadableError("The file is not UTF-8. Save it as 'CSV UTF-8'.") from error
    document = truth_of_csv(text) if media_type == "text/csv" else truth_of_json(text)
    try:
        return TruthIn.model_validate(document)
    except ValidationError as error:
        faults = [
            {"loc": ("body", *one["loc"]), "type": one["type"], "msg": one["msg"], "input": None}
            for one in error.errors()
        ]
        raise RequestValidationError(faults) from error


TruthDep = Annotated[TruthIn, Depends(read_truth)]


def truth_of_json(text: str) -> Any:
    """Return the document of a JSON text."""
    if repeated := repeated_members(text):
        raise TruthUnreadableError(f"The body gives {repeated[0]} more than once. Give it once.")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TruthUnreadableError(f"The body is not JSON: {error}.") from error


def truth_of_csv(text: str) -> dict[str, Any]:
    """Return the rows of a CSV as a document; an empty cell takes a true label back."""
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        table = [(number, line) for number, line in enumerate(lines, start=1) if any(map(str.strip, line))]
    except csv.Error as error:
        raise TruthUnreadableError(f"The file is not CSV: line {lines.line_num}: {error}.") from error
    header = [name.strip() for name in table[0][1]] if table else []
    unknown = [name for name in header if name not in TRUTH_COLUMNS]
    if unknown or len(set(header)) < len(header) or not set(READ) <= set(header):
        raise TruthUnreadableError(
            f"The first row must name the columns {' and '.join(READ)}, each once. It has "
            f"{', '.join(header) or 'none'}.",
            columns=list(READ),
        )
    return {"tiles": [_row(number, header, line) for number, line in table[1:]]}


def _row(number: int, header: list[str], line: list[str]) -> dict[str, Any]:
    if len(line) != len(header):
        raise TruthUnreadableError(
            f"Row {number} has {len(line)} cells, and the first row has {len(header)}.", row=number
        )
    cells = {name: cell.strip() for name, cell in zip(header, line, strict=True)}
    if not (cells["tile"].isascii() and cells["tile"].isdigit()):
        raise TruthUnreadableError(
            f"Row {number}: {cells['tile'][:40]!r} is no number of a tile. Tiles are counted from 0.",
            row=number,
        )
    return {"tile": int(cells["tile"][:18]), "true_label": cells["true_label"] or None}
