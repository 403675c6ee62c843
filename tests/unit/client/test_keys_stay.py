"""The key of a client: it is sent to the client's own server, whatever that answers."""

from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

from loupe import AddressError, AsyncClient, Client, ProblemError, UnusableKeyError, calls
from tests.support.played_api import URL, PlayedApi

ELSEWHERE = ("http://elsewhere.test/v1/x", "https://loupe.test/v1/x", "http://loupe.test:81/v1/x")
REDIRECTS = (301, 302, 303, 307, 308)


def page(onward: str) -> httpx.Response:
    """Return a page of a list, as JSON or CSV, whose next page is `onward`."""
    document = {"items": [], "links": [{"rel": "next", "href": onward}]}
    return httpx.Response(200, json=document, headers={"Link": f'<{onward}>; rel="next"'})


def read_all(played: PlayedApi, lines: bool) -> None:
    with Client(URL, "a-key", transport=httpx.MockTransport(played)) as client:
        list(client.csv_lines("/v1/ledger") if lines else client.items("/v1/ledger"))


def read_all_awaiting(played: PlayedApi, lines: bool) -> None:
    async def read() -> None:
        async with AsyncClient(URL, "a-key", transport=httpx.MockTransport(played.answer)) as client:
            async for _ in client.csv_lines("/v1/ledger") if lines else client.items("/v1/ledger"):
                pass

    anyio.run(read)


@pytest.mark.parametrize("read", [read_all, read_all_awaiting])
@pytest.mark.parametrize("lines", [False, True])
@pytest.mark.parametrize("onward", ELSEWHERE)
def test_link_to_another_server_is_not_followed(
    read: Callable[[PlayedApi, bool], None], lines: bool, onward: str
) -> None:
    end = httpx.Response(200, json={"items": [], "links": []})
    played = PlayedApi([page(onward), end])  # a client that follows the link gets an end

    with pytest.raises(AddressError, match="The key is sent to no other server"):
        read(played, lines)
    assert [request.url.host for request in played.asked] == ["loupe.test"]


def test_link_of_the_own_server_is_followed() -> None:
    last = httpx.Response(200, json={"items": [{}], "links": []})
    played = PlayedApi([page(f"{URL}/v1/ledger?after=2"), page("/v1/ledger?after=3"), last])

    read_all(played, lines=False)

    assert [str(request.url.query) for request in played.asked[1:]] == ["b'after=2'", "b'after=3'"]


@pytest.mark.parametrize("status", REDIRECTS)
def test_redirect_is_not_followed(run: Callable[..., Any], status: int) -> None:
    played = PlayedApi([httpx.Response(status, headers={"Location": "http://elsewhere.test/v1/orders"})])

    with pytest.raises(ProblemError, match="elsewhere"):
        run(played, lambda: calls.order("p1"))
    assert [request.url.host for request in played.asked] == ["loupe.test"]


def test_result_of_a_job_elsewhere_is_not_read(run: Callable[..., Any]) -> None:
    accepted = httpx.Response(202, json={"id": "j1"}, headers={"Location": "/v1/jobs/j1"})
    links = [{"rel": "result", "href": "http://elsewhere.test/v1/plans/p1"}]
    played = PlayedApi([accepted, httpx.Response(200, json={"status": "succeeded", "links": links})])

    with pytest.raises(AddressError):
        run(played, lambda: calls.plan(b"scene"))
    assert {request.url.host for request in played.asked} == {"loupe.test"}


@pytest.mark.parametrize("client", [Client, AsyncClient])
@pytest.mark.parametrize("key", ["", "schl\u00fcssel", "a key", "a-key\n", "a\r\nX-Other: b", "a\x00b"])
def test_text_that_no_header_can_hold_is_no_key_and_is_not_shown(client: type[Client], key: str) -> None:
    with pytest.raises(UnusableKeyError, match="An API key has no blanks") as caught:
        client(URL, key)
    assert not key or key not in str(caught.value)
