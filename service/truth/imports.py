"""True labels read from a request: JSON, or CSV with one row for each tile."""

import csv
import io
import json
import re
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import Depends
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from service.errors import InvalidInputError
from service.truth.schemas import MOST_TILES, TRUTH_COLUMNS, TruthIn
from service.web.bodies import TextBodyDep
from service.web.parameters import twice

MOST_BYTES = 12 * 2**20
"""Largest body that is read: MOST_TILES rows of an exported file have about 11 MB."""
MOST_FAULTS = 100
"""Most faults that an answer lists."""
NUMBER = re.compile(r"0*([0-9]{1,18})")
READ = ("tile", "true_label")
"""The columns of a CSV that are read; the other columns of the exported file may stand beside them."""


class TruthUnreadableError(InvalidInputError):
    """The error for a body that holds no true labels."""

    code = "truth-unreadable"
    title = "True labels not readable"


def read_truth(body: TextBodyDep) -> TruthIn:
    """Read the body: `text/csv`, else JSON. Raises TruthUnreadableError, RequestValidationError."""
    text = body.text(TruthUnreadableError)
    document = truth_of_csv(text) if body.is_csv else truth_of_json(text)
    try:
        return TruthIn.model_validate(document)
    except ValidationError as error:
        faults = [
            {"loc": ("body", *one["loc"]), "type": one["type"], "msg": one["msg"], "input": None}
            for one in error.errors(include_url=False, include_context=False)[:MOST_FAULTS]
        ]
        raise RequestValidationError(faults) from error


TruthDep = Annotated[TruthIn, Depends(read_truth)]


def truth_of_json(text: str) -> Any:
    """Return the document of a JSON text. Reading ends at the first object beyond the limit."""
    objects = 0

    def read(members: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal objects
        objects += 1
        if objects > MOST_TILES + 1:  # the document is an object as well
            raise _too_many()
        if repeated := twice([name for name, _ in members]):
            raise TruthUnreadableError(f"The body gives {repeated[0]} more than once. Give it once.")
        return dict(members)

    try:
        document = json.loads(text, object_pairs_hook=read)
    except (ValueError, RecursionError) as error:
        raise TruthUnreadableError(f"The body is not JSON: {error}.") from error
    tiles = document.get("tiles") if isinstance(document, dict) else None
    if isinstance(tiles, list) and len(tiles) > MOST_TILES:  # of numbers, say; each would be a fault
        raise _too_many()
    return document


def truth_of_csv(text: str) -> dict[str, Any]:
    """Return the rows of a CSV as a document; an empty cell takes a true label back.

    Reading ends at the first row beyond the limit.
    """
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return {"tiles": _tiles(lines)}
    except csv.Error as error:
        raise TruthUnreadableError(f"The file is not CSV: line {lines.line_num}: {error}.") from error


def _tiles(lines: Iterable[list[str]]) -> list[dict[str, Any]]:
    filled = ((number, line) for number, line in enumerate(lines, start=1) if any(map(str.strip, line)))
    header = _header(next(filled, (1, []))[1])
    tiles = list[dict[str, Any]]()
    for number, line in filled:
        if len(tiles) == MOST_TILES:
            raise _too_many()
        tiles.append(_row(number, header, line))
    return tiles


def _header(line: list[str]) -> list[str]:
    header = [name.strip() for name in line]
    unknown = [name for name in header if name not in TRUTH_COLUMNS]
    if unknown or len(set(header)) < len(header) or not set(READ) <= set(header):
        foreign = f" Remove {' and '.join(unknown)}." if unknown else ""
        raise TruthUnreadableError(
            f"The first row must name the columns {' and '.join(READ)}, each once, and else only columns of "
            f"the exported file. It has {', '.join(header) or 'none'}.{foreign}",
            columns=list(READ),
        )
    return header


def _too_many() -> TruthUnreadableError:
    return TruthUnreadableError(
        f"The body names more than {MOST_TILES:,} tiles. Send them in several requests.", most=MOST_TILES
    )


def _row(number: int, header: list[str], line: list[str]) -> dict[str, Any]:
    if len(line) != len(header):
        raise TruthUnreadableError(
            f"Row {number} has {len(line)} cells, and the first row has {len(header)}.", row=number
        )
    cells = {name: cell.strip() for name, cell in zip(header, line, strict=True)}
    tile = NUMBER.fullmatch(cells["tile"])
    if tile is None:
        raise TruthUnreadableError(
            f"Row {number}: {cells['tile'][:40]!r} is no number of a tile. Tiles are counted from 0.",
            row=number,
        )
    return {"tile": int(tile[1]), "true_label": cells["true_label"] or None}
