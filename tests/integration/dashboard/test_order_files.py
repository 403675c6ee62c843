"""Orders on the dashboard: files that are handed in, labels, and the next round."""

import re
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from tests.support.dashboard import follow, form_fields, send, sign_in, status_of, words_of
from tests.support.mosaics import mosaic
from tests.support.operations import NOBODY
from tests.support.ordering import (
    buy,
    open_budget,
    place,
    plan_scene,
    usage,
)
from tests.support.orders import make_patch

LIST = "/dashboard/orders"


@pytest.mark.usefixtures("priced")
class TestFiles:
    def hand_in(self, browser: TestClient, order: str, *files: tuple[str, bytes], **fields: str) -> Any:
        path = f"{LIST}/{order}"
        sent = [("files", (name, body, "image/tiff")) for name, body in files]
        return browser.post(f"{path}/files", data=form_fields(browser, path) | fields, files=sent)

    def test_a_mosaic_pays_for_each_patch_once(self, client: TestClient, browser: TestClient) -> None:
        budget = open_budget(client)
        order = str(place(client, plan_scene(client)).json()["id"])
        sign_in(browser)
        page = follow(browser, self.hand_in(browser, order, ("scene.tif", mosaic())))
        assert "3 patches were delivered and paid for" in page
        assert page.count("delivered") > 3
        spent = usage(client, budget)["spent"]
        again = follow(browser, self.hand_in(browser, order, ("scene.tif", mosaic())))
        assert "3 delivered before" in again
        assert usage(client, budget)["spent"] == spent
        assert status_of(client, order) == "completed"
        (first, *_) = client.get(f"/v1/orders/{order}").json()["patches"]["delivered"]
        file = browser.get(f"{LIST}/{order}/tiles/{first['tile']}/patches/{first['patch']}.tif")
        assert file.content == mosaic()

    @pytest.mark.parametrize("character", ["\0", "\x1b", "\u202e"])
    def test_name_of_a_file_with_a_control_character_is_shown_without_it(
        self, client: TestClient, browser: TestClient, character: str
    ) -> None:
        """The database takes no NUL: the patch was paid, and the page said that the file was refused."""
        open_budget(client)
        plan = plan_scene(client)
        path = f"{LIST}/{place(client, plan).json()['id']}"
        sign_in(browser)
        parts = [f'"{name}"\r\n\r\n{value}' for name, value in form_fields(browser, path).items()]
        heads = [*parts, f'"files"; filename="a{character}b.tif"\r\nContent-Type: image/tiff\r\n\r\n']
        text = "".join(f"\r\n--x\r\nContent-Disposition: form-data; name={one}" for one in heads)
        body = text.encode() + make_patch(*plan.bought[0]) + b"\r\n--x--\r\n"
        form = {"Content-Type": "multipart/form-data; boundary=x"}

        page = follow(browser, browser.post(f"{path}/files", content=body, headers=form))

        assert "1 patch was delivered and paid for." in page
        assert "a\ufffdb.tif" in page

    def test_each_of_several_files_has_a_result(self, client: TestClient, browser: TestClient) -> None:
        open_budget(client)
        plan = plan_scene(client)
        order = str(place(client, plan).json()["id"])
        sign_in(browser)
        good, bad = ("good.tif", make_patch(*plan.bought[0])), ("bad<.tif", b"no raster")
        answer = self.hand_in(browser, order, good, bad)
        page = follow(browser, answer)
        assert "1 patch was delivered and paid for; 1 of 2 files were refused." in page
        assert "bad<.tif" in page
        key = answer.headers["location"].rpartition("/")[2]
        assert browser.get(f"{LIST}/{NOBODY}/files/{key}").status_code == 404
        assert browser.get(f"{LIST}/{order}/files/form-{uuid4()}").status_code == 404

    def test_other_files_of_the_same_form_have_results_of_their_own(
        self, client: TestClient, browser: TestClient
    ) -> None:
        open_budget(client)
        plan = plan_scene(client)
        order = str(place(client, plan).json()["id"])
        sign_in(browser)
        form = form_fields(browser, f"{LIST}/{order}")
        for number, where in enumerate(plan.bought[:2]):
            answer = self.hand_in(browser, order, (f"{number}.tif", make_patch(*where)), **form)
            page = follow(browser, answer)
            assert (f"{number}.tif" in page, "1 patch was delivered and paid for" in page) == (True, True)
            again = self.hand_in(browser, order, (f"{number}.tif", make_patch(*where)), **form)
            assert again.headers["location"] == answer.headers["location"]

    def test_answer_of_another_request_is_no_page_of_files(
        self, client: TestClient, browser: TestClient
    ) -> None:
        open_budget(client)
        order, key = buy(client, plan_scene(client)), str(uuid4())
        made = client.post(f"/v1/orders/{order}/classification", json={}, headers={"Idempotency-Key": key})
        assert (made.status_code, made.json()["order"]) == (201, order)
        sign_in(browser)
        assert browser.get(f"{LIST}/{order}/files/{key}").status_code == 404

    def test_refusals_stand_on_the_page_of_the_order(self, client: TestClient, browser: TestClient) -> None:
        open_budget(client)
        order = str(place(client, plan_scene(client)).json()["id"])
        sign_in(browser)
        refused = self.hand_in(browser, order, ("bad.tif", b"no raster"))
        assert 400 <= refused.status_code < 500
        assert "Hand in files" in words_of(refused.text)
        empty = self.hand_in(browser, order)
        assert empty.status_code == 422
        assert "No file was chosen" in words_of(empty.text)

    def test_refuses_a_form_without_its_session_or_key(self, client: TestClient, browser: TestClient) -> None:
        open_budget(client)
        order = str(place(client, plan_scene(client)).json()["id"])
        path = f"{LIST}/{order}"
        files = {"files": ("a.tif", mosaic(), "image/tiff")}
        stranger = browser.post(f"{path}/files", files=files)
        assert stranger.headers["location"].startswith("/dashboard/login")
        sign_in(browser)
        fields = form_fields(browser, path)
        assert (
            browser.post(f"{path}/files", data=fields | {"form_token": "x"}, files=files).status_code == 403
        )
        assert browser.post(f"{path}/files", data=fields | {"form_key": "x"}, files=files).status_code == 422
        assert status_of(client, order) == "accepted"


@pytest.mark.usefixtures("priced")
class TestLabels:
    def test_classifying_and_true_labels_change_the_figures(
        self, client: TestClient, browser: TestClient
    ) -> None:
        open_budget(client)
        order = buy(client, plan_scene(client), patches=2)
        sign_in(browser)
        path = f"{LIST}/{order}"
        refused = send(browser, f"{path}/classification", path)
        assert refused.status_code == 409
        page = follow(browser, send(browser, f"{path}/classification", path, allow_partial="true"))
        assert "6 tiles are labelled." in page
        made = client.get(f"/v1/orders/{order}/truth").json()
        assert made["score"]["tiles"] == 0
        labels = re.findall(
            r'<th scope="row" data-label="Tile">(\d+)</th><td data-label="Label">(\w+)',
            browser.get(path).text,
        )
        right, wrong = labels[0], labels[1]
        other = next(one for one in ("farm", "forest", "harbour") if one != wrong[1])
        answer = send(
            browser, f"{path}/truth", path, **{f"true-{right[0]}": right[1], f"true-{wrong[0]}": other}
        )
        assert "1 of 2 labels are right" in follow(browser, answer)
        taken_back = send(browser, f"{path}/truth", path, **{f"true-{wrong[0]}": ""})
        assert "1 of 1 labels are right" in follow(browser, taken_back)

    def test_refuses_a_label_that_is_no_class(self, client: TestClient, browser: TestClient) -> None:
        open_budget(client)
        order = buy(client, plan_scene(client), patches=1)
        sign_in(browser)
        path = f"{LIST}/{order}"
        answer = send(browser, f"{path}/truth", path, **{"true-0": "volcano"})
        assert answer.status_code == 422
        assert "is no class of the plan's bundle" in words_of(answer.text)
        assert send(browser, f"{path}/truth", path).status_code == 422
        assert send(browser, f"{path}/truth", path, **{f"true-{'9' * 5000}": "farm"}).status_code == 422

    def test_next_round_is_refused_in_words_without_a_bundle_that_counts(
        self, client: TestClient, browser: TestClient
    ) -> None:
        open_budget(client)
        order = buy(client, plan_scene(client), patches=1)
        sign_in(browser)
        path = f"{LIST}/{order}"
        assert "Plan the next round" not in words_of(browser.get(path).text)
        assert send(browser, f"{path}/next-round", path).status_code == 409
        assert send(browser, f"{path}/next-round", path, max_cost="much").status_code == 422
