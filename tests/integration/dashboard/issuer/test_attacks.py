"""Sign-in to the dashboard at an issuer: every way that somebody may try to bend it."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient

from service.access.tables import ApiKey
from service.app import create_app
from service.dashboard.issuer_sign_in import COOKIE
from service.settings import Settings
from tests.support.dashboard import sign_out
from tests.support.issuer import LocalIssuer
from tests.support.issuer_sign_in import RETURN, begin, leave, sign_in


class TestAttacks:
    """Answers of an issuer that are replayed, mixed up, forged or sent to somebody else's browser."""

    @pytest.fixture(autouse=True)
    def person(self, ada: ApiKey) -> None:
        """Let the person in whom the issuer signs in."""

    def refused(self, browser: TestClient, answer: Any, sentence: str) -> None:
        assert (answer.status_code, sentence in answer.text) == (400, True), answer.text
        assert "Sign in again." in answer.text
        assert browser.get("/dashboard").status_code == 303

    def test_code_is_taken_once(self, browser: TestClient) -> None:
        address = begin(browser)
        copied = dict(browser.cookies)
        browser.get(address)
        sign_out(browser)
        browser.cookies.update(copied)

        self.refused(browser, browser.get(address), "takes this sign-in for used or expired")

    def test_answer_for_another_browser_signs_nobody_in(
        self, browser: TestClient, signing_in: Settings
    ) -> None:
        """Log the victim in as the attacker: the victim's browser did not begin it."""
        with TestClient(create_app(signing_in), follow_redirects=False) as attacker:
            address = begin(attacker)
        self.refused(browser, browser.get(address), "This browser did not begin this sign-in")
        leave(browser)
        self.refused(browser, browser.get(address), "This browser did not begin this sign-in")

    def test_code_of_another_attempt_does_not_fit_the_verifier(self, browser: TestClient) -> None:
        stolen = parse_qs(urlsplit(begin(browser)).query)["code"][0]
        own = parse_qs(urlsplit(begin(browser)).query)["state"][0]

        answer = browser.get(RETURN, params={"code": stolen, "state": own})
        self.refused(browser, answer, "takes this sign-in for used or expired")

    @pytest.mark.parametrize(
        ("changed", "sentence"),
        [
            ({"nonce": "another"}, "It belongs to another sign-in."),
            ({"nonce": None}, "It belongs to another sign-in."),
            ({"aud": "another"}, "It is for another audience."),
            ({"aud": ["loupe", "another"]}, "It is for another audience."),
            ({"azp": "another"}, "It is for another audience."),
            ({"iss": "https://another.example"}, "It is of another issuer."),
            ({"exp": 1}, "It has expired."),
        ],
    )
    def test_id_token_that_is_not_of_this_sign_in_is_refused(
        self, browser: TestClient, issuer: LocalIssuer, changed: dict[str, Any], sentence: str
    ) -> None:
        issuer.changed = changed

        self.refused(browser, sign_in(browser), sentence)

    def test_answer_of_another_issuer_is_refused(self, browser: TestClient) -> None:
        address = httpx.URL(begin(browser)).copy_set_param("iss", "https://another.example")

        self.refused(browser, browser.get(str(address)), "Another issuer answered than Example Org.")

    @pytest.mark.parametrize("query", ["error=access_denied", "error=x&error_description=<b>", ""])
    def test_refusal_of_the_issuer_is_shown_without_its_text(self, browser: TestClient, query: str) -> None:
        state = parse_qs(urlsplit(leave(browser)).query)["state"][0]
        answer = browser.get(f"{RETURN}?state={state}&{query}")

        self.refused(browser, answer, "Example Org did not sign you in.")
        assert "<b>" not in answer.text

    @pytest.mark.parametrize("place", ["https://evil.example", "//evil.example", "/v1/keys"])
    def test_nothing_in_the_address_leads_elsewhere(self, browser: TestClient, place: str) -> None:
        names = ("next", "redirect_uri", "return_to", "url")
        started = browser.get("/dashboard/login/issuer", params=dict.fromkeys(names, place))
        returned = browser.get(begin(browser), params=None)
        address = httpx.URL(begin(browser)).copy_merge_params(dict.fromkeys(names, place))
        page = browser.get(str(address))

        assert started.status_code == 422
        assert (returned.status_code, page.status_code) == (200, 200)
        assert "evil.example" not in page.text + str(page.headers)
        assert page.text == returned.text

    def test_header_host_does_not_choose_where_the_issuer_sends_browsers(self, browser: TestClient) -> None:
        answer = browser.get("/dashboard/login/issuer", headers={"Host": "evil.example"})

        assert "evil.example" not in answer.headers["location"]

    def test_session_of_a_sign_in_opens_no_api(self, browser: TestClient) -> None:
        sign_in(browser)

        assert browser.get("/v1/me").status_code == 401

    def test_failures_count_for_the_quota_of_strangers(self, signing_in: Settings) -> None:
        few = signing_in.model_copy(update={"requests_per_stranger": 3})
        with TestClient(create_app(few), cookies={COOKIE: "x" * 43}) as browser:
            statuses = [browser.get(f"{RETURN}?code=x&state=y").status_code for _ in range(4)]

        assert statuses == [400, 400, 400, 429]
