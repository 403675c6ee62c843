"""Parameters of requests: a route knows each of them, and each is given once.

A route would otherwise ignore a misspelt filter and answer with more than was asked for, or read the last of
two values and ignore the first.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, get_args, get_origin

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.params import Form, ParamTypes
from fastapi.routing import APIRoute
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from service.web.problems import allowed_methods

Fault = dict[str, Any]

SINGLE_HEADERS = ("authorization", "content-type", "idempotency-key", "if-match")
"""Headers of which only one is read."""

LONG_BODY = 16 * 1024
"""Bytes from which on a JSON body is looked through in a thread."""


ANY_QUERY = "takes_any_query"
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def takes_any_query(endpoint: Endpoint) -> Endpoint:
    """Mark a route whose address another server completes: it ignores parameters that it does not know."""
    setattr(endpoint, ANY_QUERY, True)
    return endpoint


async def check_parameters(request: Request) -> None:
    """Refuse a request that its route would read only in part.

    RequestValidationError (422) names unknown query parameters, and query parameters, form fields, members of
    a JSON body and headers that are given twice. Lists may be repeated. A body is looked at only where the
    framework has read it before. HTTPException (405) where the router took a fixed address for an id: it
    knows only POST of /v1/price-lists/import, and so reads GET as that of /v1/price-lists/{price_list_id}.
    """
    route = request.scope["route"]
    if route.param_convertors and request.method not in allowed_methods(request):
        raise HTTPException(405)
    faults = _query_faults(request, route) if request.query_params else []
    faults += [
        given_twice(("header", name)) for name in SINGLE_HEADERS if len(request.headers.getlist(name)) > 1
    ]
    if route.body_field is not None and isinstance(route.body_field.field_info, Form):
        faults += form_faults(await request.form())
    elif route.body_field is not None and _is_json(request):
        faults += [given_twice(("body", name)) for name in await _repeated_in_body(request)]
    if faults:
        raise RequestValidationError(faults)


def query_names(route: APIRoute) -> dict[str, bool]:
    """Return the query parameters of a route, and whether each is a list."""
    return {
        field.alias: _is_list(field.field_info.annotation)
        for field in get_flat_params(route.dependant)
        # Fields of a model of options do not say where they are; such models only stand in queries.
        if getattr(field.field_info, "in_", ParamTypes.query) is ParamTypes.query
    }


def form_faults(form: FormData, known: Sequence[str] = ()) -> list[Fault]:
    """Return the repeated fields of a form, and the unknown ones unless `known` is empty."""
    names = [name for name, _ in form.multi_items()]
    strange = [name for name in dict.fromkeys(names) if known and name not in known]
    unknown = [
        fault(("body", name), "field-unknown", f"The form has no such field. It has {_listed(known)}.")
        for name in strange
    ]
    return unknown + [given_twice(("body", name)) for name in twice(names)]


def repeated_members(text: str | bytes) -> list[str]:
    """Return the names that an object of a JSON text gives twice; nothing for a text that is not JSON."""
    found: list[str] = []

    def note(pairs: list[tuple[str, Any]]) -> None:
        found.extend(twice([name for name, _ in pairs]))

    try:
        json.loads(text, object_pairs_hook=note)
    except (ValueError, RecursionError):
        return []
    return found


def fault(location: tuple[str | int, ...], code: str, sentence: str) -> Fault:
    """Return an entry of a RequestValidationError."""
    return {"loc": location, "type": code, "msg": sentence}


def given_twice(location: tuple[str | int, ...]) -> Fault:
    """Return the entry for something that is given more than once."""
    return fault(location, "given-twice", "This is given more than once. Give it once.")


def twice(names: Sequence[str]) -> list[str]:
    """Return the names that occur more than once, each once."""
    if len(set(names)) == len(names):  # as in most objects of a body, of which there may be many
        return []
    return [name for name, times in Counter(names).items() if times > 1]


def _is_json(request: Request) -> bool:
    """Return whether the body is declared as JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


async def _repeated_in_body(request: Request) -> list[str]:
    """Look through the body in a thread: a long one takes long enough to keep other requests waiting."""
    body = await request.body()
    if len(body) < LONG_BODY:
        return repeated_members(body)
    return await run_in_threadpool(repeated_members, body)


def _query_faults(request: Request, route: APIRoute) -> list[Fault]:
    known = query_names(route)
    given = [name for name, _ in request.query_params.multi_items()]
    if getattr(route.endpoint, ANY_QUERY, False):
        given = [name for name in given if name in known]
    offer = f"It has {_listed(list(known))}." if known else "It has none."
    unknown = [
        fault(("query", name), "parameter-unknown", f"This address has no such query parameter. {offer}")
        for name in dict.fromkeys(given)
        if name not in known
    ]
    return unknown + [given_twice(("query", name)) for name in twice(given) if not known.get(name)]


def _is_list(annotation: Any) -> bool:
    return any(get_origin(part) in {list, set, tuple} for part in (annotation, *get_args(annotation)))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
