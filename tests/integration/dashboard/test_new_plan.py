"""Planning a scene on the dashboard: the form, its refusals, and scenes that become jobs."""

import html
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text

from service.access.repository import create_key
from service.access.roles import Role
from service.access.tables import Workspace
from service.database.engine import Database
from service.pricing.examples import NO_MINIMUM
from service.settings import Settings
from service.web.claims import claim_key
from tests.support.bundles import make_geotiff, make_pixels
from tests.support.dashboard import fields_of, form_fields, sign_in, values_of, words_of
from tests.support.jobs import app_of
from tests.support.ordering import code, publish_prices
from tests.support.waiting import eventually

NEW = "/dashboard/plans/new"
SCENE = make_geotiff()


def send_scene(browser: TestClient, **fields: str) -> Any:
    """Send the form with a scene."""
    return send_file(browser, SCENE, fields)


def send_file(browser: TestClient, body: bytes, fields: dict[str, str]) -> Any:
    """Send the form as a browser does: every field, most of them empty."""
    empty = dict.fromkeys(("limit", "bundle", "task", "reuse", "bands", "radiometry"), "")
    data = form_fields(browser, NEW) | empty | {"aim": "policy", "price_list": "acme"} | fields
    return browser.post(NEW, data=data, files={"scene": ("scene.tif", body, "image/tiff")})


def plans(client: TestClient) -> list[Any]:
    items: list[Any] = client.get("/v1/plans").json()["items"]
    return items


def test_scene_becomes_a_plan_with_the_options_of_the_form(client: TestClient, browser: TestClient) -> None:
    publish_prices(client)
    sign_in(browser)
    answer = send_scene(browser, aim="max_patches", limit="4", bands="3,2,1")

    (plan,) = plans(client)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/dashboard/plans/{plan['id']}")
    assert plan["objective"] == {"kind": "max_patches", "max_patches": 4}
    assert (plan["provenance"]["price_list"]["name"], plan["scene"]["bands"]) == ("acme", [3, 2, 1])
    assert plan["decision"] in html.unescape(browser.get(answer.headers["location"]).text)


def test_form_proposes_prices_at_which_savings_count(client: TestClient, browser: TestClient) -> None:
    sign_in(browser)
    assert values_of(browser.get(NEW).text, NEW)["price_list"] == NO_MINIMUM
    publish_prices(client, "beta")
    publish_prices(client, "zeta", provider="Zeta")
    assert values_of(browser.get(NEW).text, NEW)["price_list"] == "beta"


def test_form_sent_twice_makes_one_plan(client: TestClient, browser: TestClient) -> None:
    publish_prices(client)
    sign_in(browser)
    fields = form_fields(browser, NEW)
    answers = [send_scene(browser, **fields) for _ in range(2)]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    assert len(plans(client)) == 1


def test_second_click_while_the_first_is_computed_says_so_in_words_of_the_page(
    client: TestClient, browser: TestClient, database: Database
) -> None:
    publish_prices(client)
    sign_in(browser)
    fields = form_fields(browser, NEW)
    with database.sessions.begin() as session:
        workspace = session.scalars(select(Workspace.id)).one()
        assert claim_key(session, workspace, f"form-{fields['form_key']}")
    answer = send_scene(browser, **fields)

    assert answer.status_code == 409
    assert "This form is still being worked on." in html.unescape(answer.text)
    assert "Idempotency" not in answer.text
    assert plans(client) == []


def test_form_that_is_refused_while_the_first_click_is_computed_makes_no_second_plan(
    client: TestClient, browser: TestClient, database: Database
) -> None:
    publish_prices(client)
    sign_in(browser)
    fields = form_fields(browser, NEW)
    with database.sessions.begin() as session:
        workspace = session.scalars(select(Workspace.id)).one()
        assert claim_key(session, workspace, f"form-{fields['form_key']}")
    shown_again = fields_of(send_scene(browser, **fields).text, NEW)
    assert shown_again == fields
    with database.sessions.begin() as session:  # the first click has been worked on
        session.execute(text("DELETE FROM idempotency_claim"))
    first = send_scene(browser, **fields)
    second = send_scene(browser, **shown_again)
    assert second.headers["location"] == first.headers["location"]
    assert len(plans(client)) == 1


def test_names_and_tags_of_the_form_are_those_of_the_plan(client: TestClient, browser: TestClient) -> None:
    publish_prices(client)
    sign_in(browser)
    tags = "team=north\r\n\r\n  season=late autumn, wet \r\n"
    answer = send_scene(browser, name="Harbours, May", external_id="GIS-2041", tags=tags)
    assert answer.status_code == 303, html.unescape(answer.text)
    (plan,) = plans(client)
    assert (plan["name"], plan["external_id"]) == ("Harbours, May", "GIS-2041")
    assert plan["tags"] == {"team": "north", "season": "late autumn, wet"}


def test_refused_form_keeps_names_and_tags(client: TestClient, browser: TestClient) -> None:
    publish_prices(client)
    sign_in(browser)
    named = {"name": "A & B", "external_id": "4711", "tags": "team=north\nteam north"}
    page = html.unescape(send_scene(browser, **named).text)
    assert 'value="A & B"' in page
    assert 'value="4711"' in page
    assert ">team=north\nteam north</textarea>" in page


@pytest.mark.parametrize("key", ["", "x", "form\0key"])
def test_form_without_its_key_is_refused(client: TestClient, browser: TestClient, key: str) -> None:
    publish_prices(client)
    sign_in(browser)
    answer = send_scene(browser, form_key=key)
    assert answer.status_code == 422
    assert "The form has no key. Load the page again" in html.unescape(answer.text)
    assert plans(client) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"aim": "sell"}, "no aim 'sell'"),
        ({"aim": "max_cost"}, "needs an amount, such as 250.00"),
        ({"aim": "max_cost", "limit": "a lot"}, "Give an amount, such as 250.00."),
        ({"aim": "max_patches", "limit": "4.5"}, "Give a whole number, such as 40."),
        ({"limit": "4"}, "takes no limit"),
        ({"aim": "guarantee", "limit": "labels:0.05"}, "guarantee"),
        ({"price_list": "nobody's"}, 'no price list "nobody\'s"'),
        ({"task": "sell"}, "The field Task cannot be read"),
        ({"name": "x\x00y"}, "The field Name cannot be read"),
        ({"external_id": "x" * 201}, "The field Id in a system of yours cannot be read"),
        ({"tags": "team north"}, "The field Tags cannot be read"),
        ({"tags": "\n".join(f"t{n}=x" for n in range(60))}, "The field Tags cannot be read"),
        ({"bands": "9,9,9"}, "band"),
    ],
)
def test_refusal_stands_on_the_form_which_keeps_what_was_typed(
    client: TestClient, browser: TestClient, fields: dict[str, str], words: str
) -> None:
    publish_prices(client)
    sign_in(browser)
    answer = send_scene(browser, **fields)

    assert 400 <= answer.status_code < 500
    page = html.unescape(answer.text)
    assert 'class="refusal" role="alert"' in page
    assert words in page
    assert all(f'value="{value}"' in page for name, value in fields.items() if name in ("limit", "bands"))
    assert plans(client) == []


def test_refusal_of_a_field_does_not_blame_the_file(client: TestClient, browser: TestClient) -> None:
    publish_prices(client)
    sign_in(browser)
    answer = send_scene(browser, aim="max_patches", limit="many")
    assert "A field of the form cannot be used. The limit of" in words_of(answer.text)


@pytest.mark.parametrize("body", [b"", b"no tiff", make_geotiff(make_pixels(height=4, width=4))])
def test_file_that_cannot_be_planned_is_refused_in_words(
    client: TestClient, browser: TestClient, body: bytes
) -> None:
    publish_prices(client)
    sign_in(browser)
    answer = send_file(browser, body, {})
    assert 400 <= answer.status_code < 500
    assert 'class="refusal" role="alert"' in answer.text
    assert plans(client) == []


def test_scene_of_another_session_or_of_nobody_is_refused(client: TestClient, browser: TestClient) -> None:
    publish_prices(client)
    scene = {"scene": ("scene.tif", make_geotiff(), "image/tiff")}
    assert browser.post(NEW, files=scene).headers["location"].startswith("/dashboard/login")
    sign_in(browser)
    forged = form_fields(browser, NEW) | {"form_token": "0" * 64}
    answer = browser.post(NEW, data=forged, files=scene, headers={"Accept": "application/json"})
    assert code(answer) == (403, "cross-site-request")
    assert plans(client) == []


def test_role_that_may_not_plan_sees_who_may(
    client: TestClient, browser: TestClient, database: Database
) -> None:
    with database.sessions.begin() as session:
        workspace = session.query(Workspace).one()
        key = create_key(session, workspace, "reader", role=Role.VIEWER)
    sign_in(browser, key)
    assert "Your key may not plan scenes." in browser.get(NEW).text
    answer = send_scene(browser, **form_fields(browser))
    assert answer.status_code == 403
    assert plans(client) == []


def test_large_scene_becomes_a_job_whose_page_leads_to_the_plan(settings: Settings) -> None:
    with app_of(settings, request_tiles=1) as client:
        publish_prices(client)
        client.headers.pop("Authorization")
        client.follow_redirects = False
        sign_in(client)
        place = send_scene(client, aim="max_patches", limit="3").headers["location"]
        assert place.startswith("/dashboard/jobs/")
        eventually(lambda: client.get(place).status_code == 303)
        plan = client.get(place).headers["location"]
        assert "can be ordered" in client.get(plan).text


def test_page_of_a_waiting_job_says_so_and_cancels_it(settings: Settings) -> None:
    with app_of(settings, request_tiles=1, worker=False) as client:
        publish_prices(client)
        client.follow_redirects = False
        sign_in(client)
        place = send_scene(client).headers["location"]
        page = client.get(place).text
        assert "The job waits for its turn." in page
        assert 'http-equiv="refresh"' in page
        cancelled = client.post(f"{place}/cancel", data=form_fields(client, place))
        assert cancelled.headers["location"] == place
        assert "The job has ended and stored nothing." in client.get(place).text
        assert plans(client) == []
