"""Profiles of the command line, and what comes before them."""

import json
import os
import stat
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.support.command_line import PlayedServer, loupe
from tests.support.waiting import eventually

KEY = "loupe_abcdefgh_" + "x" * 43
OTHER = "loupe_ijklmnop_" + "y" * 43
OFFICE = "https://loupe.example.com"
ME = {
    "workspace": {"id": "1", "name": "harbours"}, "rights": ["view"],
    "key": {"id": "abcdefgh", "name": "office", "holder": "ijklmnop", "role": "buyer"},
}  # fmt: skip


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the place of the file of profiles, in an empty configuration folder and without settings."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    for name in ("LOUPE_URL", "LOUPE_API_KEY", "LOUPE_PROFILE"):  # what is read from .env ends here, too
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return tmp_path / "config" / "loupe" / "profiles.toml"


@pytest.fixture
def asked(server: PlayedServer, monkeypatch: pytest.MonkeyPatch) -> PlayedServer:
    """Return a server that answers `loupe me`, without a key in the environment."""
    monkeypatch.delenv("LOUPE_API_KEY")
    server.routes["GET /v1/me"] = (200, ME)
    return server


def sent(server: PlayedServer) -> tuple[str, str]:
    """Return the address and the key of the last request."""
    request = server.asked[-1]
    return f"{request.url.scheme}://{request.url.host}", request.headers["Authorization"].removeprefix(
        "Bearer "
    )


def add(name: str = "office", key: str = KEY, url: str = OFFICE, *more: str) -> None:
    done = loupe("profiles", "add", name, "--url", url, *more, typed=f"{key}\n")
    assert done.exit_code == 0, done.output


def test_profile_gives_address_and_key(asked: PlayedServer) -> None:
    add()

    assert loupe("--profile", "office", "me").exit_code == 0
    assert sent(asked) == (OFFICE, KEY)


def test_environment_and_env_file_name_the_profile(
    asked: PlayedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    add()
    add("home", OTHER, "http://127.0.0.1:9000")
    Path(".env").write_text("LOUPE_PROFILE=home\n")

    loupe("me")
    by_file = sent(asked)
    monkeypatch.setenv("LOUPE_PROFILE", "office")
    loupe("me")

    assert (by_file, sent(asked)) == (("http://127.0.0.1", OTHER), (OFFICE, KEY))


def test_commands_of_a_group_and_groups_that_are_commands_use_the_profile(asked: PlayedServer) -> None:
    add()
    asked.routes["GET /v1/ledger"] = (200, {"items": [], "links": []})
    asked.lists("/v1/orders")
    asked.lists("/v1/ledger/closes")

    for words in (("ledger",), ("orders", "list"), ("ledger", "closes")):
        assert loupe("--profile", "office", *words).exit_code == 0
        assert sent(asked) == (OFFICE, KEY)


def test_option_comes_before_environment_env_file_and_profile(
    asked: PlayedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    add()
    monkeypatch.setenv("LOUPE_PROFILE", "office")
    loupe("me")
    of_profile = sent(asked)
    Path(".env").write_text("LOUPE_API_KEY=of-the-file\nLOUPE_URL=http://file\n")
    loupe("me")
    of_file = sent(asked)
    monkeypatch.setenv("LOUPE_API_KEY", "of-the-environment")
    monkeypatch.setenv("LOUPE_URL", "http://environment")
    loupe("me")
    of_environment = sent(asked)
    loupe("me", "--api-key", "typed", "--url", "http://typed")

    assert of_profile == (OFFICE, KEY)
    assert of_file == ("http://file", "of-the-file")
    assert of_environment == ("http://environment", "of-the-environment")
    assert sent(asked) == ("http://typed", "typed")


@pytest.mark.parametrize("name", ["LOUPE_URL", "LOUPE_API_KEY"])
def test_profile_that_was_typed_is_used_as_a_whole_or_refused(
    asked: PlayedServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    add()
    monkeypatch.setenv(name, "http://elsewhere")

    done = loupe("--profile", "office", "me")

    assert (done.exit_code, asked.asked) == (1, [])
    assert f"sets {name}." in " ".join(done.stderr.split())


def test_key_of_a_profile_goes_to_no_other_address(
    asked: PlayedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    add()
    monkeypatch.setenv("LOUPE_PROFILE", "office")
    monkeypatch.setenv("LOUPE_URL", "http://elsewhere")

    done = loupe("me")

    assert (done.exit_code, asked.asked) == (1, [])
    assert "is sent to no other address" in " ".join(done.stderr.split())


def test_key_of_the_environment_does_not_go_to_the_address_of_a_folder(
    asked: PlayedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".env").write_text("LOUPE_URL=http://elsewhere\nLOUPE_API_KEY=of-the-file\n")
    monkeypatch.setenv("LOUPE_API_KEY", "of-the-environment")

    done = loupe("me")
    assert (done.exit_code, asked.asked) == (1, [])
    assert "Set LOUPE_URL as well" in done.stderr

    monkeypatch.delenv("LOUPE_URL")
    assert loupe("me", "--url", "http://typed").exit_code == 0
    monkeypatch.setenv("LOUPE_URL", "http://environment")
    assert loupe("me").exit_code == 0
    assert sent(asked) == ("http://environment", "of-the-environment")


def test_profile_does_not_reach_commands_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    add()
    monkeypatch.setenv("LOUPE_DATABASE_URL", "postgresql://127.0.0.1:1/loupe")
    loupe("--profile", "office", "keys", "list")

    assert "LOUPE_API_KEY" not in os.environ


def test_unknown_profile_is_refused(asked: PlayedServer) -> None:
    done = loupe("--profile", "nowhere", "me")

    assert (done.exit_code, asked.asked) == (1, [])
    assert done.stderr == 'Error: There is no profile "nowhere". `loupe profiles list` shows all.\n'


def test_file_and_folder_belong_to_the_user_only(file: Path) -> None:
    add()

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_file_that_others_can_open_is_refused(file: Path, asked: PlayedServer, mode: int) -> None:
    add()
    file.chmod(mode)

    for words in (("--profile", "office", "me"), ("profiles", "list"), ("profiles", "remove", "office")):
        done = loupe(*words)
        assert done.exit_code == 1
        assert f'chmod 600 "{file}"' in " ".join(done.stderr.split())
    assert asked.asked == []


@pytest.mark.usefixtures("asked")
def test_no_output_has_a_key(file: Path) -> None:
    add()
    add("plain", "a-key-of-the-operator")
    outputs = [
        loupe(*words).output
        for words in (
            ("profiles", "list"), ("profiles", "list", "--json"), ("--profile", "office", "me"),
            ("--profile", "office", "me", "--help"), ("--profile", "plain", "orders", "list", "--help"),
            ("profiles", "remove", "plain"),
        )
    ]  # fmt: skip
    file.write_text(f'[office]\nurl = "{OFFICE}"\napi_key = "{KEY}"\nregion = "north"\n')
    outputs.append(loupe("profiles", "list").output)
    file.write_text(f'[office]\nurl = "{OFFICE}"\napi_key = "{KEY}\n')
    outputs.append(loupe("profiles", "list").output)

    assert [one for one in outputs if "xxx" in one or "operator" in one] == []
    assert "abcdefgh" in outputs[0]
    assert json.loads(outputs[1])[0] == {"name": "office", "url": OFFICE, "key": "abcdefgh"}
    assert "has to hold the text `url`" in " ".join(outputs[-2].split())
    assert "is not TOML" in " ".join(outputs[-1].split())


def test_key_that_is_typed_in_a_terminal_is_not_shown(file: Path) -> None:
    ours, theirs = os.openpty()
    words = ["from service.cli import app; app()", "profiles", "add", "office", "--url", OFFICE]
    process = subprocess.Popen(
        [sys.executable, "-c", *words], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    try:
        eventually(lambda: not termios.tcgetattr(theirs)[3] & termios.ECHO)
        os.write(ours, f"{KEY}\n".encode())
        assert process.wait(timeout=30) == 0
        shown = os.read(ours, 4096).decode()
    finally:
        process.kill()
        process.wait()
        os.close(theirs)
        os.close(ours)

    assert "API key" in shown
    assert "xxx" not in shown
    assert f'api_key = "{KEY}"' in file.read_text()


def test_profile_is_replaced_only_on_request(asked: PlayedServer) -> None:
    add()
    refused = loupe("profiles", "add", "office", "--url", OFFICE, typed=f"{OTHER}\n")
    assert (refused.exit_code, "--replace" in refused.stderr) == (1, True)

    add("office", OTHER, OFFICE, "--replace")
    loupe("--profile", "office", "me")
    assert sent(asked) == (OFFICE, OTHER)


def test_profile_is_removed() -> None:
    add()
    add("home", OTHER)

    assert loupe("profiles", "remove", "office").exit_code == 0
    assert [one["name"] for one in json.loads(loupe("profiles", "list", "--json").stdout)] == ["home"]
    assert loupe("profiles", "remove", "office").exit_code == 1


@pytest.mark.parametrize(
    ("name", "url", "key", "said"),
    [
        ("a b", OFFICE, KEY, "The name of a profile"),
        ("[x]", OFFICE, KEY, "The name of a profile"),
        ("office", "loupe.example.com", KEY, "An address begins with"),
        ("office", 'http://x"\n[y]', KEY, "An address begins with"),
        ("office", OFFICE, "a key", "An API key has no blanks"),
        ("office", OFFICE, "", "No API key was given"),
    ],
)
def test_values_that_cannot_be_used_are_refused(file: Path, name: str, url: str, key: str, said: str) -> None:
    done = loupe("profiles", "add", name, "--url", url, typed=f"{key}\n")

    assert (done.exit_code, said in done.stderr) == (1, True)
    assert not file.exists()


def test_list_without_a_profile_says_how_to_add_one() -> None:
    assert "loupe profiles add NAME" in loupe("profiles", "list").stdout


def completed(words: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("_LOUPE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    done = subprocess.run(
        [sys.executable, "-c", "from service.cli import app; app(prog_name='loupe')"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.split()


def test_shell_completes_names_of_profiles(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add("office")
    add("home", OTHER, "http://127.0.0.1:9000")

    assert completed("loupe --profile ", monkeypatch) == ["home", "office"]
    assert completed("loupe --profile of", monkeypatch) == ["office"]
    assert completed("loupe profiles remove h", monkeypatch) == ["home"]

    file.chmod(0o644)
    assert completed("loupe --profile ", monkeypatch) == []
