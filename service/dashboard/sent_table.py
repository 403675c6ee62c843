"""A file of rows that a form sends: invoices or price lists, as CSV or JSON."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.orm import Session
from starlette.datastructures import UploadFile

from service.dashboard.forms import FieldInvalidError, SentForm, check_form, key_field, open_form, text_field
from service.dashboard.rendering import count_of
from service.dashboard.session import Visitor, VisitorDep
from service.database.engine import DatabaseDep
from service.errors import LoupeError
from service.web.bodies import TextBody
from service.web.problems import SENTENCES

Rows = TypeVar("Rows")
ENDINGS = (".csv", ".json")
MOST_SHOWN = 20
"""Faults of a file that a page lists."""


class TableInvalidError(FieldInvalidError):
    """A file with rows that cannot be imported, each fault with a sentence."""

    title = "The file was not imported"

    def __init__(self, faults: Sequence[str]) -> None:
        cells = "cell" if len(faults) == 1 else "cells"
        super().__init__(f"Correct {len(faults):,} {cells}, and import the file again.")
        self.faults = list(faults[:MOST_SHOWN])
        """The first faults in the order of the file."""


@dataclass(frozen=True, kw_only=True)
class SentTable:
    """The form of an import with its file."""

    form: SentForm
    name: str
    """Name of the file; empty without one."""
    raw: bytes

    def read(self, read: Callable[[TextBody], Rows]) -> Rows:
        """Return the rows that `read` finds in the file. Raises FieldInvalidError, TableInvalidError."""
        if not self.name:
            raise FieldInvalidError("No file was chosen. Choose a CSV or JSON file, then import it.")
        ending = PurePath(self.name).suffix.lower()
        if ending not in ENDINGS:
            raise FieldInvalidError("The file is neither .csv nor .json. Save it in one of these formats.")
        try:
            return read(TextBody(raw=self.raw, is_csv=ending == ".csv"))
        except RequestValidationError as error:
            raise TableInvalidError([_sentence(one) for one in error.errors()]) from error

    def import_rows(
        self,
        operation: str,
        read: Callable[[TextBody], Rows],
        store: Callable[[Session, Visitor, Rows], str],
        *,
        then: str,
        refuse: Callable[[LoupeError], Response],
    ) -> Response:
        """Do an import of the API in one transaction, and lead to `then` with the sentence of `store`."""

        def do() -> str:
            rows = self.read(read)
            with self.form.database.sessions.begin() as session:
                return store(session, self.form.visitor, rows)

        return self.form.attempt(operation, do, then=then, refuse=refuse)


def _sentence(fault: dict[str, Any]) -> str:
    """Say which cell is wrong and why: "Invoice 2, line 1, amount: ..."."""
    kind, number, *places = fault["loc"]
    words = [f"{kind[:-1].capitalize()} {number}"]
    for place in places:
        if isinstance(place, int):  # in a list, whose name came before
            words[-1] = f"{words[-1].removesuffix('s')} {place + 1}"
        else:
            words.append(place.replace("_", " "))
    said = SENTENCES.get(fault["type"], fault["msg"]).removeprefix(f"Row {number}: ").rstrip(".")
    return f"{', '.join(words)}: {said}."


def outcome(are_new: Sequence[bool], noun: str, done: str) -> str:
    """Say how many rows were new, and how many were known before."""
    new, known = sum(are_new), len(are_new) - sum(are_new)
    words = f"{count_of(new, noun)} {'was' if new == 1 else 'were'} {done}"
    return f"{words}; {known:,} {'was' if known == 1 else 'were'} known before." if known else f"{words}."


async def sent_table(request: Request, visitor: VisitorDep, database: DatabaseDep) -> SentTable:
    """Read the form after its sender is known. The body cap limits the file.

    Raises CrossSiteError, and FieldInvalidError for a form without its key.
    """
    async with request.form(max_files=1, max_fields=10) as form:
        check_form(request, visitor, text_field(form, "form_token"))
        file = form.get("table")
        sent = file if isinstance(file, UploadFile) and file.filename else None
        return SentTable(
            form=open_form(request, visitor, database, key_field(form)),
            name=sent.filename or "" if sent else "",
            raw=await sent.read() if sent else b"",
        )


SentTableDep = Annotated[SentTable, Depends(sent_table)]
