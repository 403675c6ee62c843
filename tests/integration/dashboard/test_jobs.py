"""Pages of jobs: how far they are, and what they made."""

from fastapi.testclient import TestClient

from service.settings import Settings
from tests.support.dashboard import sign_in, words_of
from tests.support.jobs import ASYNC, app_of, ended, plan_later
from tests.support.ordering import buy, open_budget, plan_scene, publish_prices


def test_job_that_labelled_tiles_leads_to_the_labels_of_its_order(settings: Settings) -> None:
    with app_of(settings) as client:
        publish_prices(client)
        open_budget(client)
        order = buy(client, plan_scene(client))
        asked = client.post(f"/v1/orders/{order}/classification", json={}, headers=ASYNC)
        assert asked.status_code == 202
        job = ended(client, asked)
        assert job["status"] == "succeeded", job
        client.follow_redirects = False
        sign_in(client)
        answer = client.get(f"/dashboard/jobs/{job['id']}")
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            f"/dashboard/orders/{order}#labels",
        )
        page = client.get(f"/dashboard/orders/{order}").text
        assert 'id="labels"' in page


def test_job_in_the_queue_has_one_name_on_its_page_and_in_the_list(
    client: TestClient, browser: TestClient
) -> None:
    publish_prices(client)
    job = plan_later(client).json()["id"]
    sign_in(browser)
    page = words_of(browser.get(f"/dashboard/jobs/{job}").text)
    listed = words_of(browser.get("/dashboard/operations").text)
    assert f"Planning job {job[:8]} waiting" in page
    assert "The job waits for its turn." in page
    assert "Waiting: 1" in listed
    assert "queued" not in page + listed
