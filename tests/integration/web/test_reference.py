"""The page /docs: every operation, and nothing loaded from elsewhere."""

import base64
import hashlib
import re

from fastapi.testclient import TestClient


def test_reference_shows_every_operation(client: TestClient) -> None:
    page = client.get("/docs").text

    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for method in methods:
            assert f"<h2><code>{method.upper()} {path}</code></h2>" in page


def test_reference_loads_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/docs").text

    assert re.findall(r'(?:src|href)="(?!#)([^"]*)"', page) == ["openapi.json"]
    assert "<script" not in page


def test_reference_policy_allows_its_own_style(client: TestClient) -> None:
    answer = client.get("/docs")
    style = re.search(r"<style>(.*)</style>", answer.text, re.DOTALL)

    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in answer.headers["content-security-policy"]
