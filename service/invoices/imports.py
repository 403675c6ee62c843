"""Invoices read from a request: one JSON document, a JSON array, or CSV with one row for each line."""

import csv
import io
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Depends
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from service.errors import InvalidInputError
from service.invoices.schemas import MOST_DOCUMENTS, InvoiceIn
from service.web.bodies import TextBodyDep
from service.web.parameters import repeated_members

OF_DOCUMENT = ("number", "kind", "provider", "date", "currency", "tax", "reason")
OF_LINE = ("reference", "amount", "description")
COLUMNS = (*OF_DOCUMENT, *OF_LINE)
"""The permitted columns of a CSV, in any order; an empty cell means the default."""


class InvoicesUnreadableError(InvalidInputError):
    """The error for a body that holds no invoices."""

    code = "invoices-unreadable"
    title = "Invoices not readable"


def read_invoices(body: TextBodyDep) -> list[InvoiceIn]:
    """Read the body: `text/csv`, else JSON. Raises InvoicesUnreadableError, RequestValidationError."""
    text = body.text(InvoicesUnreadableError)
    return check_documents(documents_of_csv(text) if body.is_csv else documents_of_json(text))


InvoicesDep = Annotated[list[InvoiceIn], Depends(read_invoices)]


def documents_of_json(text: str) -> list[Any]:
    """Return one document or the members of an array."""
    try:
        found = json.loads(text, parse_float=Decimal)  # no float rounds a number
    except (ValueError, RecursionError) as error:
        raise InvoicesUnreadableError(f"The body is not JSON: {error}.") from error
    if repeated := repeated_members(text):
        raise InvoicesUnreadableError(f"An invoice gives {repeated[0]} more than once. Give it once.")
    return found if isinstance(found, list) else [found]


def documents_of_csv(text: str) -> list[dict[str, Any]]:
    """Group the rows by provider and number; cells about the document are equal in all its rows."""
    documents: dict[tuple[str, str], dict[str, Any]] = {}
    for number, row in _rows(text):
        about = {name: row[name] for name in OF_DOCUMENT if name in row}
        key = (row.get("provider", ""), row.get("number", ""))
        document = documents.setdefault(key, about | {"lines": []})
        if {name: value for name, value in document.items() if name != "lines"} != about:
            raise InvoicesUnreadableError(
                f"Row {number}: kind, date, currency, tax and reason differ from an earlier row of invoice "
                f"{key[1]!r}. Repeat them in every row of an invoice.",
                row=number,
            )
        document["lines"].append({name: row[name] for name in OF_LINE if name in row})
    return list(documents.values())


def check_documents(documents: list[Any]) -> list[InvoiceIn]:
    """Return the invoices. RequestValidationError lists every fault, each at /invoices/<number>/<field>."""
    if not 0 < len(documents) <= MOST_DOCUMENTS:
        raise InvoicesUnreadableError(
            f"The body has {len(documents)} invoices. Send 1 to {MOST_DOCUMENTS:,}.", invoices=len(documents)
        )
    found, faults = list[InvoiceIn](), list[dict[str, Any]]()
    for number, document in enumerate(documents, start=1):
        try:
            found.append(InvoiceIn.model_validate(document))
        except ValidationError as error:
            faults += [
                {
                    "loc": ("invoices", number, *one["loc"]),
                    "type": one["type"],
                    "msg": one["msg"],
                    "input": None,
                }
                for one in error.errors()
            ]
    if faults:
        raise RequestValidationError(faults)
    return found


def _rows(text: str) -> list[tuple[int, Mapping[str, str]]]:
    """Return the rows that are not empty, numbered as in a spreadsheet; the first one names the columns."""
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        table = [(number, line) for number, line in enumerate(lines, start=1) if any(map(str.strip, line))]
    except csv.Error as error:
        raise InvoicesUnreadableError(f"The file is not CSV: line {lines.line_num}: {error}.") from error
    header = [name.strip() for name in table[0][1]] if table else []
    unknown = [name for name in header if name not in COLUMNS]
    if unknown or len(set(header)) < len(header):
        raise InvoicesUnreadableError(
            f"The first row names the columns, each once: {', '.join(COLUMNS)}. It has {', '.join(header)}.",
            columns=list(COLUMNS),
        )
    if long := [number for number, line in table if len(line) > len(header)]:
        raise InvoicesUnreadableError(f"Row {long[0]} has more cells than the first row has columns.")
    return [
        (number, {name: cell.strip() for name, cell in zip(header, line, strict=False) if cell.strip()})
        for number, line in table[1:]
    ]
