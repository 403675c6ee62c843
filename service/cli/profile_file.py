"""The file of profiles: addresses of servers, with the keys for them, in the user's configuration folder."""

import json
import os
import re
import stat
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import typer

from service.cli.connection import UsageError

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
PRINTABLE = re.compile(r"[!-~]+")
"""ASCII characters of which a header and an address may consist."""
PUBLIC_PART = re.compile(r"loupe_([a-z]{8})_")
HEADING = (
    "# Profiles of the command loupe. `loupe profiles add` and `loupe profiles remove` write this file.\n"
)


@dataclass(frozen=True)
class Profile:
    """A server and a key for it."""

    url: str
    api_key: str | None = field(default=None, repr=False)

    def key_id(self) -> str | None:
        """Return what may be shown of the key: its public id, or "set" for one of another form."""
        if self.api_key is None:
            return None
        public = PUBLIC_PART.match(self.api_key)
        return public[1] if public else "set"


def profiles_path() -> Path:
    """Return the file of profiles in the configuration folder of this user."""
    return Path(typer.get_app_dir("loupe")) / "profiles.toml"


def read_profiles() -> dict[str, Profile]:
    """Return all profiles by name; none without a file.

    UsageError for a file that others can read, that is not TOML, or that holds anything else.
    """
    path = profiles_path()
    try:
        with path.open("rb") as file:
            check_private(path, file)
            document = tomllib.loads(file.read().decode())
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not in UTF-8. Correct it.") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}. Correct it.") from error
    return {name: _profile(path, name, found) for name, found in document.items()}


def read_profile(name: str) -> Profile:
    """Return a profile. UsageError if there is none of this name."""
    found = read_profiles().get(name)
    if found is None:
        raise UsageError(f'There is no profile "{name}". `loupe profiles list` shows all.')
    return found


def check_private(path: Path, file: BinaryIO) -> None:
    """Raise UsageError if others than its owner can read or change an open file."""
    if os.name == "posix" and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
        raise UsageError(
            f"Others than you can open {path}, which holds API keys.\n"
            f'Close it with `chmod 600 "{path}"`, and replace its keys if somebody may have read them.'
        )


def check_profile(name: str, profile: Profile) -> None:
    """Raise UsageError for a name, an address or a key that cannot be used."""
    if not NAME.fullmatch(name):
        raise UsageError("The name of a profile has letters, digits, - and _, at most 64.")
    if not _is_address(profile.url):
        raise UsageError("An address begins with http:// or https://, such as https://loupe.example.com.")
    if profile.api_key is not None and not PRINTABLE.fullmatch(profile.api_key):
        raise UsageError("An API key has no blanks and only ASCII characters.")


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:  # such as a bracket that is not closed
        return False
    return bool(PRINTABLE.fullmatch(text) and parts.scheme in ("http", "https") and parts.hostname)


def write_profiles(profiles: Mapping[str, Profile]) -> None:
    """Write all profiles at once, so that only this user can read them."""
    path = profiles_path()
    path = path.resolve() if path.exists() else path
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = HEADING + "".join(_table(name, one) for name, one in sorted(profiles.items()))
    descriptor, written = tempfile.mkstemp(dir=path.parent, prefix=".profiles-")  # with mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(written).replace(path)
    except OSError:
        Path(written).unlink(missing_ok=True)
        raise


def _table(name: str, profile: Profile) -> str:
    members = {"url": profile.url, "api_key": profile.api_key}
    # A JSON string of printable ASCII characters is a basic string of TOML.
    lines = [f"{member} = {json.dumps(text)}" for member, text in members.items() if text is not None]
    return "\n".join(["", f"[{name}]", *lines, ""])


def _profile(path: Path, name: str, found: object) -> Profile:
    members = found if isinstance(found, dict) else {}
    strange = set(members) - {"url", "api_key"} or any(not isinstance(one, str) for one in members.values())
    if strange or "url" not in members:
        raise UsageError(
            f'The profile "{name}" in {path} has to hold the text `url`, and nothing else than `api_key`.'
        )
    profile = Profile(**members)
    check_profile(name, profile)
    return profile
