"""Signing in to the dashboard."""

from typing import Any

from fastapi.testclient import TestClient

from tests.support.databases import KEY


def sign_in(browser: TestClient, key: str = KEY, **headers: str) -> Any:
    return browser.post("/dashboard/login", data={"key": key}, headers=headers)
