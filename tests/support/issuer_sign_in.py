"""The steps of a sign-in to the dashboard at a local issuer."""

from typing import Any

import httpx
from fastapi.testclient import TestClient

RETURN = "/dashboard/login/return"


def leave(browser: TestClient) -> str:
    """Begin to sign in; return the address at the issuer."""
    answer = browser.get("/dashboard/login/issuer")
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def begin(browser: TestClient) -> str:
    """Begin to sign in and let the issuer sign the person in; return where it sends the browser back to."""
    address = httpx.get(leave(browser)).headers["location"]
    assert address.startswith(f"http://testserver{RETURN}?")
    return str(address).removeprefix("http://testserver")


def sign_in(browser: TestClient) -> Any:
    return browser.get(begin(browser))
