"""Ids in paths: each is one segment, and a text that would lead elsewhere is refused before it is sent."""

import ast
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import httpx
import pytest

import loupe
from loupe import AsyncClient, Client, MissingError, UnusableIdError, path_to
from tests.support.played_api import URL

ROOT = Path(loupe.__file__).parent.parent
ID = "c0ba6f1b-db54-486d-85af-9dd9ab5836c0"
BAD = ["", ".", "..", "../orders", f"{ID}/curve", "a?b=1", "a#b", "%2e%2e", "a%2Fb", "a\\b", "a b"]
BAD += [f"{ID}\n", "\u0661"]
IDS = {"plan", "order", "classification", "waiting", "budget", "job"}
"""Names of required arguments that are ids."""
OTHERS = {
    "scene": b"", "file": b"", "tile": 0, "patch": 0, "decision": "approve", "last_day": "2030-01-01",
    "name": "x", "limit": "5.00",
}  # fmt: skip
"""Values of the other required arguments."""
IN_BODY = "order"
"""Method that sends the id of a plan in its body."""
Answer = Callable[[httpx.Request], httpx.Response]
Ask = Callable[[Answer, str, str], None]
OWN = {name: method for name, method in vars(Client).items() if not name.startswith("_")}


def required(method: Callable[..., Any]) -> set[str]:
    parameters = inspect.signature(method).parameters.values()
    named = {one.name for one in parameters if one.kind is not one.VAR_KEYWORD and one.default is one.empty}
    return named - {"self"}


TAKING = [name for name, method in OWN.items() if required(method) & IDS and name != IN_BODY]
"""Methods that put an id into a path."""


def ask(answer: Answer, name: str, given: str) -> None:
    """Call a method of the blocking client with an id, on a server that answers so."""
    with Client(URL, "a-key", transport=httpx.MockTransport(answer)) as client:
        found = getattr(client, name)(**arguments(name, given))
        if isinstance(found, Iterator):
            next(found)


def ask_awaiting(answer: Answer, name: str, given: str) -> None:
    """Call a method of the asynchronous client in the same way."""

    async def attempt() -> None:
        async with AsyncClient(URL, "a-key", transport=httpx.MockTransport(answer)) as client:
            found = getattr(client, name)(**arguments(name, given))
            await (anext(found) if inspect.isasyncgen(found) else found)

    anyio.run(attempt)


def arguments(name: str, given: str) -> dict[str, Any]:
    return {one: given if one in IDS else OTHERS[one] for one in required(OWN[name])}


def test_every_required_argument_is_an_id_or_another_value() -> None:
    assert {one for method in OWN.values() for one in required(method)} == IDS | OTHERS.keys()
    assert {required(getattr(AsyncClient, name)) == required(OWN[name]) for name in TAKING} == {True}
    assert {"get_plan", "patches", "cancel", "deliver", "deliver_patch", "decide", "wait"} <= set(TAKING)


@pytest.mark.parametrize("asked", [ask, ask_awaiting])
@pytest.mark.parametrize("name", TAKING)
def test_text_that_is_no_id_is_never_sent(name: str, asked: Ask) -> None:
    def unexpected(request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"{request.method} {request.url} was sent.")

    for given in BAD:
        with pytest.raises(UnusableIdError) as caught:
            asked(unexpected, name, given)
        assert str(caught.value) == (
            f'"{given}" is no id, and nothing was sent.\n'
            "Give an id as the server gives it, such as c0ba6f1b-db54-486d-85af-9dd9ab5836c0."
        )


@pytest.mark.parametrize("asked", [ask, ask_awaiting])
@pytest.mark.parametrize("name", TAKING)
def test_id_is_sent_as_one_segment(name: str, asked: Ask) -> None:
    places: list[str] = []

    def note(request: httpx.Request) -> httpx.Response:
        places.append(request.url.path)
        return httpx.Response(404)

    with pytest.raises(MissingError):
        asked(note, name, ID)
    assert places
    assert {path.split("/")[3] for path in places} == {ID}


@pytest.mark.parametrize("given", [ID, ID.replace("-", ""), "C0BA6F", "12", "tanks@1.2.0", UUID(ID)])
def test_ids_numbers_and_versions_stay_as_they_are(given: Any) -> None:
    assert path_to("bundles", given) == f"/v1/bundles/{given}"
    assert path_to("orders", given, "tiles", 0, "patches", 15) == f"/v1/orders/{given}/tiles/0/patches/15"


def test_number_of_a_tile_is_checked_as_an_id_is() -> None:
    with pytest.raises(UnusableIdError, match=r'^"\.\./0" is no id'):
        path_to("orders", ID, "tiles", "../0")


@pytest.mark.parametrize("package", ["loupe", "service/cli"])
def test_no_path_is_written_without_the_check(package: str) -> None:
    found = [
        f"{path.name}:{node.lineno}"
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.JoinedStr) and begins_in_the_api(node.values[0])
    ]

    assert found == []


def begins_in_the_api(part: ast.expr) -> bool:
    return isinstance(part, ast.Constant) and str(part.value).startswith("/v1")


def test_path_without_the_check_would_be_found() -> None:
    (statement,) = ast.parse('f"/v1/plans/{plan}"').body

    assert isinstance(statement, ast.Expr)
    assert isinstance(statement.value, ast.JoinedStr)
    assert begins_in_the_api(statement.value.values[0])
