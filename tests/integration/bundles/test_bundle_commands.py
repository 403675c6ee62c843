"""`loupe bundles add`, `remove` and `default`, on the machine of the server."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.settings import Settings
from tests.support.bundles import write_bundle
from tests.support.command_line import loupe
from tests.support.ordering import buy, open_budget, place, plan_scene, publish_prices


@pytest.fixture
def machine(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set the environment of a server that holds tiny@1 and tiny@2; return the folder of its bundles."""
    folder = tmp_path / "held"
    write_bundle(folder / "tiny-1")
    write_bundle(folder / "tiny-2", version="2")
    assert settings.database_url is not None
    monkeypatch.setenv("LOUPE_DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("LOUPE_HOME", str(settings.home))
    monkeypatch.setenv("LOUPE_BUNDLES", str(folder))
    return folder


def test_remove_refuses_while_orders_need_the_bundle(client: TestClient, machine: Path) -> None:
    publish_prices(client)
    open_budget(client)
    delivered = buy(client, plan_scene(client, reuse="none"))
    waiting = str(place(client, plan_scene(client, reuse="none")).json()["id"])

    refused = loupe("bundles", "remove", "tiny@1")
    assert refused.exit_code == 1
    words = " ".join(refused.output.split())
    assert "1 open order and 1 delivered order without labels need tiny@1" in words
    assert (machine / "tiny-1").is_dir()

    assert client.post(f"/v1/orders/{delivered}/classification").status_code == 201
    assert client.post(f"/v1/orders/{waiting}/cancel").status_code == 200
    removed = loupe("bundles", "remove", "tiny@1")
    assert removed.exit_code == 0, removed.output
    words = " ".join(removed.output.split())
    assert "Removed tiny@1. 2 plans made with it can no longer be ordered, delivered or classified." in words
    assert "Restart the server. Plans that name no bundle then use tiny@2." in words
    assert not (machine / "tiny-1").exists()


def test_remove_with_force_takes_a_bundle_that_is_needed(client: TestClient, machine: Path) -> None:
    publish_prices(client)
    open_budget(client)
    place(client, plan_scene(client))

    removed = loupe("bundles", "remove", "tiny@1", "--force")

    assert removed.exit_code == 0, removed.output
    words = " ".join(removed.output.split())
    assert "1 plan made with it can no longer be ordered, delivered or classified." in words
    assert not (machine / "tiny-1").exists()


def test_default_says_what_new_plans_use_and_which_setting_overrides_it(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "then use tiny@1." in loupe("bundles", "default", "tiny@1").output
    assert (machine / "default").read_text() == "tiny@1\n"
    monkeypatch.setenv("LOUPE_DEFAULT_BUNDLE", "tiny")
    words = " ".join(loupe("bundles", "default", "tiny@1").output.split())
    assert "LOUPE_DEFAULT_BUNDLE is tiny and overrides the choice. Unset it." in words
    assert "then use tiny@2." in words
    assert loupe("bundles", "default", "nobody").exit_code == 3
