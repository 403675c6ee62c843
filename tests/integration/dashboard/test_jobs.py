"""Pages of jobs: they lead to what a job made."""

from service.settings import Settings
from tests.support.dashboard import sign_in
from tests.support.jobs import ASYNC, app_of, ended
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
