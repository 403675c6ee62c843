"""Quotas over HTTP: who is refused, with which headers, and who is not."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.database.engine import Database
from service.settings import Settings
from service.web import limits
from tests.support.bundles import make_geotiff
from tests.support.databases import KEY, rows
from tests.support.ordering import TIFF, code, publish_prices


@contextmanager
def limited(settings: Settings, **changed: float) -> Iterator[TestClient]:
    with TestClient(create_app(settings.model_copy(update=changed))) as client:
        client.headers["Authorization"] = f"Bearer {KEY}"
        yield client


def test_answers_say_where_the_client_stands(settings: Settings) -> None:
    with limited(settings, requests_per_key=60, requests_per_workspace=120) as client:
        answer = client.get("/v1/budgets")
    assert answer.headers["ratelimit-policy"] == '"key";q=60;w=60, "workspace";q=120;w=60'
    assert answer.headers["ratelimit"] == '"key";r=59;t=1, "workspace";r=119;t=1'


@pytest.mark.parametrize("limit", ["requests_per_key", "requests_per_workspace"])
def test_request_beyond_a_quota_is_refused(settings: Settings, limit: str) -> None:
    with limited(settings, **{limit: 2}) as client:
        answers = [client.get("/v1/budgets") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert code(answers[-1]) == (429, "too-many-requests")
    assert int(answers[-1].headers["retry-after"]) in range(1, 31)
    assert answers[-1].json()["limit"] == 2


def test_key_that_used_up_its_quota_leaves_its_colleague_the_workspaces(
    settings: Settings, colleague: dict[str, str]
) -> None:
    with limited(settings, requests_per_key=1) as client:
        assert [client.get("/v1/budgets").status_code for _ in range(2)] == [200, 429]
        assert client.get("/v1/budgets", headers=colleague).status_code == 200


@pytest.mark.parametrize("shown", ["", "Bearer lp_live_guessed", "Basic abc"])
def test_strangers_use_up_nobodys_quota_but_their_address(settings: Settings, shown: str) -> None:
    with limited(settings, requests_per_stranger=2) as client:
        headers = {"Authorization": shown}
        statuses = [client.get("/v1/budgets", headers=headers).status_code for _ in range(3)]
        assert statuses == [401, 401, 429]
        assert client.get("/v1/budgets").status_code == 200
        assert client.get("/healthz", headers={"Authorization": ""}).status_code == 200


def test_dashboard_counts_for_the_key_of_its_visitor(settings: Settings) -> None:
    with limited(settings, requests_per_key=3) as client:  # two of them by signing in
        del client.headers["Authorization"]
        client.post("/dashboard/login", data={"key": KEY})
        assert [client.get("/dashboard").status_code for _ in range(2)] == [200, 429]


@pytest.mark.parametrize("path", ["/dashboard/login", "/docs", "/none", "/dashboard/assets/none"])
def test_false_key_does_not_hide_a_request_that_needs_none(settings: Settings, path: str) -> None:
    with limited(settings, requests_per_stranger=2) as client:
        answers = [client.get(path, headers={"Authorization": "", "Cookie": "a=b"}) for _ in range(3)]
        assert client.get("/healthz", headers={"Authorization": "", "Cookie": "a=b"}).status_code == 200
    assert [answer.status_code == 429 for answer in answers] == [False, False, True]
    assert code(answers[-1]) == (429, "too-many-requests")
    assert "retry-after" in answers[-1].headers


def test_key_signs_in_so_often_only(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SIGN_INS", 2)
    with limited(settings) as client:
        client.headers |= {"Authorization": "", "Cookie": "a=b"}
        answers = [
            client.post("/dashboard/login", data={"key": KEY}, follow_redirects=False) for _ in range(3)
        ]
    assert [answer.status_code for answer in answers] == [303, 303, 429]
    detail = answers[-1].json()["detail"]
    wait = int(answers[-1].headers["retry-after"])
    assert detail == f"This key may sign in 2 times in 60 s. Send the request again in {wait} s."
    assert 0 < wait <= 30


def test_request_that_ends_frees_its_place(settings: Settings, database: Database) -> None:  # noqa: ARG001
    with limited(settings, at_once_per_key=1) as client:
        assert [client.get("/v1/budgets").status_code for _ in range(3)] == [200] * 3
        assert [client.get("/v1/budgets/none").status_code for _ in range(2)] == [422] * 2
        assert client.get("/v1/budgets").status_code == 200


def test_computation_beyond_its_time_is_refused_and_stores_nothing(
    settings: Settings, database: Database
) -> None:
    """One small file once kept a core busy for hours."""
    with limited(settings, request_seconds=1e-6) as client:
        publish_prices(client)
        answer = client.post("/v1/plans", content=make_geotiff(), headers=TIFF, params={"price_list": "acme"})

    assert code(answer) == (503, "takes-too-long")
    assert "Send a smaller scene" in answer.json()["detail"]
    assert rows(database, "plan") == 0
