"""Forms of the dashboard: where they come from, who may send them, and what is answered.

An action has the same right, the same refusal and the same audit as the operation of the API that it does.
Each form carries a key of its own, so that a double click has one effect.
"""

import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, NamedTuple, TypeVar
from uuid import UUID

from fastapi import Depends, Form, Request, Response
from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from service.access.caller import check_operation
from service.dashboard.frame import go_to
from service.dashboard.session import CrossSiteError, Visitor, VisitorDep, check_same_site
from service.database.engine import Database, DatabaseDep
from service.errors import InvalidInputError, LoupeError
from service.web.idempotency import Answer, KeyedRequest, fingerprint, store_once

Fields = TypeVar("Fields", bound=BaseModel)


class Onward(NamedTuple):
    """The page that an action leads to, and the sentence that it shows."""

    path: str
    notice: str


@dataclass(frozen=True, kw_only=True)
class SentForm:
    """A form that a page of the visitor's session sent."""

    request: Request
    visitor: Visitor
    database: Database
    key: str
    """Idempotency key of the form."""

    def keyed(self, *parts: str) -> KeyedRequest:
        """Return the request under the form's key; `parts` tell it from the requests of other forms."""
        request_print = fingerprint(f"POST {self.request.url.path}", *parts)
        return KeyedRequest(self.database, self.visitor.workspace_id, self.key, request_print)

    def store_once(self, *parts: str, store: Callable[[Session], str]) -> str:
        """Do `store` in one transaction, however often the form is sent; return the sentence it returned."""
        answer = store_once(self.keyed(*parts), lambda session: Answer(200, store(session)))
        return str(json.loads(bytes(answer.body)))

    def allow(self, operation: str) -> None:
        """Raise RoleNeededError (403) unless the visitor may do an operation of the API."""
        check_operation(self.request, self.visitor, self.database, self.request.state.notes, operation)

    def attempt(
        self,
        operation: str,
        do: Callable[[], "str | Onward"],
        *,
        then: str,
        refuse: Callable[[LoupeError], Response],
    ) -> Response:
        """Do an operation of the API and redirect to `then` with the sentence that `do` returns.

        `do` may lead to another page. A refusal is shown by `refuse`, on the page of the form. Errors of
        the server are raised.
        """
        try:
            self.allow(operation)
            done = do()
        except LoupeError as error:
            if error.status >= 500:
                raise
            return refuse(error)
        onward = Onward(then, done) if isinstance(done, str) else done
        return go_to(self.request, self.visitor, onward.path, onward.notice)


def sent_form(
    request: Request,
    found: VisitorDep,
    database: DatabaseDep,
    form_key: Annotated[UUID, Form()],
    form_token: Annotated[str, Form(max_length=64)] = "",
) -> SentForm:
    """Return a form of the visitor's session. Raises CrossSiteError for another."""
    check_form(request, found, form_token)
    return open_form(request, found, database, form_key)


def open_form(request: Request, visitor: Visitor, database: Database, key: UUID) -> SentForm:
    """Return a form under its own key, which it keeps on the page that shows a refusal of it."""
    request.state.form_key = str(key)
    return SentForm(request=request, visitor=visitor, database=database, key=f"form-{key}")


FormDep = Annotated[SentForm, Depends(sent_form)]


def check_form(request: Request, visitor: Visitor, form_token: str) -> None:
    """Refuse a form that does not come from a page of the visitor's session. Raises CrossSiteError."""
    check_same_site(request)
    if not hmac.compare_digest(form_token.encode(), visitor.form_token.encode()):
        raise CrossSiteError("This form belongs to another session. Load the page again and repeat the step.")


class FieldInvalidError(InvalidInputError):
    """A field of a form that cannot be used."""

    code = "field-invalid"
    title = "A field of the form cannot be used"


def text_field(form: FormData, name: str) -> str:
    """Return a field of a form that a route reads itself; empty without it."""
    found = form.get(name, "")
    return found if isinstance(found, str) else ""


def key_field(form: FormData) -> UUID:
    """Return the own key of a form that a route reads itself. Raises FieldInvalidError."""
    try:
        return UUID(text_field(form, "form_key"))
    except ValueError:
        raise FieldInvalidError("The form has no key. Load the page again and repeat the step.") from None


def read_fields(model: type[Fields], **given: object) -> Fields:
    """Read fields as the API reads its body; empty ones are left out. Raises FieldInvalidError."""
    try:
        return model.model_validate({name: value for name, value in given.items() if value != ""})
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False)[0]
        name = " ".join(str(part) for part in fault["loc"]).replace("_", " ") or "form"
        raise FieldInvalidError(f"{name.capitalize()}: {fault['msg'].rstrip('.')}.") from error
