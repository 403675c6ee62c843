"""Settings: refused at the start when they cannot be meant."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from service.database.engine import database_url
from service.settings import Settings
from tests.support.bundles import make_settings


def test_settings_read_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_PORT", "8123")
    monkeypatch.setenv("LOUPE_HOME", "/srv/loupe")

    settings = Settings(_env_file=None)

    assert (settings.port, settings.state, settings.blobs) == (
        8123,
        Path("/srv/loupe"),
        Path("/srv/loupe/blobs"),
    )


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("api_key", "too-short", "at most 23 bits of randomness, and a key needs 128"),
        ("api_key", "long enough but with blanks", "no blanks"),
        ("database_url", "sqlite:///loupe.db", "Only PostgreSQL"),
        ("port", 70000, "less than or equal to 65535"),
        ("scene_body_limit", 0, "greater than 0"),
        ("device", "tpu", "'auto', 'cpu' or 'cuda'"),
        ("bundle_sha256", "ab" * 31, "64 digits"),
        ("bundle", "models/bundles/starter", "Set LOUPE_BUNDLES to a folder"),
    ],
)
def test_settings_refuse_an_impossible_value(tmp_path: Path, name: str, value: object, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        make_settings(tmp_path, **{name: value})


@pytest.mark.parametrize("name", ["api_key", "database_url", "default_bundle", "bundle"])
def test_settings_read_an_empty_text_as_unset(tmp_path: Path, name: str) -> None:
    assert getattr(make_settings(tmp_path, **{name: ""}), name) is None


@pytest.mark.parametrize(
    ("written", "read"), [("", set()), (f"{'a' * 64}, {'0' * 64}", {"a" * 64, "0" * 64})]
)
def test_settings_read_a_list_of_digests(
    monkeypatch: pytest.MonkeyPatch, written: str, read: set[str]
) -> None:
    monkeypatch.setenv("LOUPE_BUNDLE_SHA256", written)
    assert Settings(_env_file=None).bundle_sha256 == read


def test_settings_are_read_from_files_of_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loupe_api_key").write_text("a-key-from-a-file-of-secrets\n")
    (tmp_path / "loupe_port").write_text("8123")
    monkeypatch.setenv("LOUPE_SECRETS", str(tmp_path))
    monkeypatch.setenv("LOUPE_PORT", "8456")

    settings = Settings(_env_file=None)

    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == "a-key-from-a-file-of-secrets"
    assert settings.port == 8456  # the environment comes first


def test_settings_hide_secrets(tmp_path: Path) -> None:
    settings = make_settings(
        tmp_path, api_key="an-operators-own-key", database_url="postgresql://loupe:hunter2@db/loupe"
    )

    assert "an-operators-own-key" not in repr(settings)
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_database_url_names_the_psycopg_driver(tmp_path: Path, scheme: str) -> None:
    settings = make_settings(tmp_path, database_url=f"{scheme}://loupe:p%40ss@db:5433/loupe?sslmode=require")

    assert database_url(settings) == "postgresql+psycopg://loupe:p%40ss@db:5433/loupe?sslmode=require"


def test_env_example_lists_every_setting() -> None:
    page = (Path(__file__).parents[2] / ".env.example").read_text()

    assert {name for name in Settings.model_fields if f"LOUPE_{name.upper()}=" not in page} == set()
