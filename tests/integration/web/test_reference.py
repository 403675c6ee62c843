"""The page /docs: the files it loads are this server's, and may be kept for good."""

import re

from fastapi.testclient import TestClient


def addresses(client: TestClient) -> list[str]:
    """Return the addresses that the page names, as its browser resolves them."""
    page = client.get("/docs").text
    return ["/" + found for found in re.findall(r'(?:src|href)="(?!data:)([^"]*)"', page)]


def test_reference_names_only_addresses_of_this_server_that_answer(client: TestClient) -> None:
    found = addresses(client)

    assert "/openapi.json" in found
    assert len(found) > 4
    assert {address: client.get(address).status_code for address in found} == dict.fromkeys(found, 200)


def test_reference_page_has_no_script_or_style_of_its_own(client: TestClient) -> None:
    answer = client.get("/docs")

    assert re.findall(r"<script(?![^>]* src=)|<style| style=| on\w+=", answer.text) == []
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
    assert "unsafe" not in policy


def test_reference_files_are_kept_for_good_under_the_digest_of_their_bytes(client: TestClient) -> None:
    script = next(address for address in addresses(client) if address.endswith("reference.js"))
    stale = re.sub(r"assets/\w+", "assets/0123456789ab", script)

    assert client.get(script).headers["cache-control"] == "public, max-age=31536000, immutable"
    assert client.get(script).headers["content-type"] == "text/javascript; charset=utf-8"
    assert client.get(stale).json()["detail"] == "The reference has no such file. Load /docs again."
