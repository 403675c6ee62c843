"""Every `type` of a problem document is an address that answers people and programs."""

from collections.abc import Iterator

from fastapi.testclient import TestClient

import service.bundles.installing  # noqa: F401  (errors of commands, which no route imports)
from service.errors import LoupeError
from service.web.problem_types import known_types
from service.web.remedies import REMEDIES
from tests.support.ordering import publish_prices

HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


def classes(parent: type[LoupeError] = LoupeError) -> Iterator[type[LoupeError]]:
    for child in parent.__subclasses__():
        if child.__module__.startswith("service."):
            yield child
        yield from classes(child)


def test_every_error_class_has_an_address_with_its_title_status_and_remedy(client: TestClient) -> None:
    found = {one.code: one for one in classes()}

    assert len(found) > 100
    for code, error in found.items():
        shown = client.get(f"/problems/{code}").json()
        assert shown["type"] == f"/problems/{code}"
        assert error.status in shown["statuses"]
        assert shown["remedy"].endswith(".")
        assert shown["meanings"] != [""]


def test_every_remedy_belongs_to_an_error() -> None:
    assert set(REMEDIES) - {"bad-request", "http-error"} == set(known_types())


def test_types_that_the_framework_answers_have_addresses_too(client: TestClient) -> None:
    publish_prices(client)
    refused = [
        client.get("/nowhere"),
        client.delete("/v1/plans"),
        client.get("/v1/plans/no-uuid"),
        client.post("/v1/plans", content=b"", headers={"Content-Encoding": "gzip"}),
        client.get("/v1/plans/" + "0" * 32),
        client.get("/v1/plans", headers={"Authorization": "Bearer nobody"}),
    ]

    types = [answer.json()["type"] for answer in refused]

    assert [client.get(address).status_code for address in types] == [200] * len(types)
    assert len(set(types)) == len(types)


def test_list_shows_people_a_page_and_programs_a_document(client: TestClient) -> None:
    page, document = client.get("/problems", headers=HTML), client.get("/problems")

    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["vary"].startswith("Accept,")
    assert document.headers["vary"].startswith("Accept,")
    for item in document.json()["items"]:
        assert f'<a href="{item["type"]}">' in page.text
    assert "What to do:</strong> Raise the budget" in page.text


def test_unknown_type_names_the_list(client: TestClient) -> None:
    answer = client.get("/problems/strange", headers=HTML)

    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")
    assert answer.json()["detail"] == "There is no such kind of error. /problems lists all."
