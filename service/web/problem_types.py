"""Addresses that problem documents give as their `type`: `/problems`, and one for each kind of error."""

import inspect
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, Field

from service.errors import LoupeError, NotFoundError
from service.web.negotiation import JSON, preferred
from service.web.openapi import file_answer_of, problems
from service.web.problems import CODES, TITLES
from service.web.reference import POLICY, page_template
from service.web.remedies import REMEDIES

router = APIRouter(prefix="/problems", tags=["service"])

FRAMEWORK = {
    **{code: (status, TITLES[status]) for status, code in CODES.items()},
    "invalid-request": (422, TITLES[422]),
    "internal-error": (500, TITLES[500]),
}
"""Errors that no domain raises: status and title."""


class ProblemType(BaseModel):
    """A kind of error."""

    type: str = Field(description="Address of this document, as problem documents give it.")
    code: str = Field(description="Last part of the address, for programs to compare.")
    title: str = Field(description="Name of the kind of error.")
    statuses: list[int] = Field(description="HTTP statuses of answers with this type.")
    meanings: list[str] = Field(description="Descriptions of the cases. Empty if the title says it all.")
    remedy: str = Field(description="Remedy, as a sentence.")


class ProblemTypes(BaseModel):
    """Every kind of error."""

    items: list[ProblemType] = Field(description="Kinds of errors, in alphabetical order of their codes.")


Accept = Annotated[str, Header(description="Media type of the answer: JSON, or HTML for people.")]
HTML: dict[int | str, dict[str, Any]] = {200: {"content": file_answer_of("text/html", "The same as a page.")}}


@router.get(
    "", summary="List the kinds of errors", response_model=ProblemTypes, responses={**HTML, **problems(422)}
)
def list_problem_types(accept: Accept = "*/*") -> Response:
    """List every `type` that a problem document may have, with what to do about it."""
    found = ProblemTypes(items=list(known_types().values()))
    return _answer(accept, found, "The kinds of errors", found.items)


@router.get(
    "/{code}",
    summary="Show a kind of error",
    response_model=ProblemType,
    responses={**HTML, **problems(404, 422)},
)
def get_problem_type(
    code: Annotated[str, Path(description="Code of the error, the last part of its `type`.")],
    accept: Accept = "*/*",
) -> Response:
    """Show what a `type` means, which statuses it comes with, and what to do about it."""
    if (found := known_types().get(code)) is None:
        raise NotFoundError("There is no such kind of error. /problems lists all.", code=code)
    return _answer(accept, found, found.title, [found])


def _answer(accept: str, document: BaseModel, title: str, shown: list[ProblemType]) -> Response:
    if preferred(accept, [JSON, "text/html"]) != "text/html":
        return JSONResponse(document.model_dump(mode="json"))
    page = page_template("problems.html").render(title=title, types=shown, whole=len(shown) > 1)
    return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})


@cache
def known_types() -> dict[str, ProblemType]:
    """Return every kind of error by its code, read from the error classes that the application has."""
    classes = defaultdict[str, list[type[LoupeError]]](list)
    for found in _below(LoupeError):
        classes[found.code].append(found)
    raised = {code: _of_classes(code, alike) for code, alike in classes.items()}
    answered = {code: _problem_type(code, title, [status], []) for code, (status, title) in FRAMEWORK.items()}
    return dict(sorted((answered | raised).items()))


def _of_classes(code: str, alike: list[type[LoupeError]]) -> ProblemType:
    meanings = [inspect.getdoc(one) or "" for one in alike]
    firsts = dict.fromkeys(meaning.partition("\n\n")[0].replace("\n", " ") for meaning in meanings)
    statuses = sorted({one.status for one in alike})
    return _problem_type(code, alike[0].title, statuses, list(firsts))


def _problem_type(code: str, title: str, statuses: list[int], meanings: list[str]) -> ProblemType:
    return ProblemType(
        type=f"/problems/{code}",
        code=code,
        title=title,
        statuses=statuses,
        meanings=meanings,
        remedy=REMEDIES.get(code, "Do as `detail` of the answer says."),
    )


def _below(parent: type[LoupeError]) -> Iterator[type[LoupeError]]:
    for child in parent.__subclasses__():
        yield child
        yield from _below(child)
