"""Settings, read once from the environment (prefix `LOUPE_`), `.env` or files of secrets and passed along."""

import math
import os
import re
import string
from pathlib import Path
from typing import Annotated, Literal, cast

from fastapi import Depends, Request
from pydantic import Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

from service.capacity import MIB, Capacity
from service.signing_in import SigningIn

KEY_BITS = 128
"""Fewest bits of an operator's key, by the count of `key_bits`."""
SECRETS_FOLDER = "/run/secrets"
"""The folder in which Docker puts files of secrets; LOUPE_SECRETS names another one."""
FEW_CHARACTERS = 8
"""A random key of 128 bits has at least as many different characters."""
RoleCheck = Literal["warn", "refuse", "off"]
Sandbox = Literal["prefer", "require"]


class Settings(Capacity, SigningIn):
    """Everything that an operator can set; `.env.example` explains each setting."""

    model_config = SettingsConfigDict(env_prefix="LOUPE_", env_file=".env", extra="ignore", frozen=True)

    home: Path = Field(
        Path("~/.loupe"), description="Folder of the state: embedded database and uploaded files."
    )
    host: str = Field("127.0.0.1", description="Address that the server binds to.")
    port: int = Field(8000, ge=0, le=65535, description="Port of the server; 0 picks a free one.")
    metrics_port: int | None = Field(
        None, ge=1, le=65535, description="Port of the metrics for Prometheus; unset: none are shown."
    )
    metrics_host: str = Field(
        "127.0.0.1", description="Address of that port. The metrics need no key: keep it private."
    )
    api_key: SecretStr | None = Field(
        None, description="First API key, chosen by the operator; unset: one is made."
    )
    database_url: SecretStr | None = Field(None, description="URL of PostgreSQL; unset: an embedded one.")
    role_check: RoleCheck = Field(
        "warn", description="Reaction to a database role that could bypass the ledger."
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Device that the networks run on.")
    threads: int = Field(
        0, ge=0, le=256, description="CPU threads for the networks; 0 uses every core, at most 8."
    )
    bundles: Path = Field(
        Path(__file__).parent.parent / "models" / "bundles",
        description="Folder of the bundles to serve, each in a folder of its own.",
    )
    default_bundle: str | None = Field(
        None,
        description="Bundle of plans that name none, as name, name@version, sha256 or folder. Unset: the one "
        "that the file `default` in the folder of the bundles names.",
    )
    trusted_hosts: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(),
        description="Names by which clients reach the server, separated by commas; unset: any name.",
    )
    trusted_proxies: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(),
        description="Addresses and networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are "
        "believed, separated by commas; unset: none.",
    )
    bundle_sha256: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(),
        description="The sha256 of each bundle that may be served, separated by commas; unset: any bundle.",
    )
    bundle: str | None = Field(None, description="Removed; LOUPE_BUNDLES takes its place.", exclude=True)
    log: str | None = Field(
        None,
        description="Log of requests and of the server, one JSON object a line: `-` for standard output, or "
        "a file. Unset: requests are not logged, and the server logs text to standard error.",
    )
    scene_body_limit: int = Field(32 * MIB, gt=0, description="Largest scene upload, in bytes.")
    patch_body_limit: int = Field(64 * MIB, gt=0, description="Largest delivered patch, in bytes.")
    delivery_limit: int = Field(
        512 * MIB, gt=0, description="Largest file that delivers many patches at once, in bytes."
    )
    body_limit: int = Field(MIB, gt=0, description="Largest body of any other request, in bytes.")
    sandbox: Sandbox = Field(
        "prefer",
        description="Whether to serve although the kernel refuses a layer of the decoder's confinement.",
    )
    decode_seconds: float = Field(20.0, gt=0, description="CPU time for decoding one file, in seconds.")
    delivery_decode_seconds: float = Field(
        120.0, gt=0, description="CPU time for decoding a file that delivers many patches, in seconds."
    )

    request_tiles: int = Field(
        10_000,
        ge=1,
        description="Most tiles with data of a scene that a request waits for; a larger one becomes a job.",
    )
    worker: bool = Field(True, description="Whether the server runs jobs too, beside `loupe worker`.")
    worker_jobs: int = Field(1, ge=1, le=64, description="Jobs that a worker runs at the same time.")
    worker_silent_seconds: float = Field(
        30.0,
        ge=1,
        allow_inf_nan=False,
        description="Seconds without a heartbeat after which a worker counts as dead and loses its jobs.",
    )

    quote_days: int = Field(30, ge=1, le=366, description="Days for which a plan can be ordered.")
    order_days: int = Field(30, ge=1, le=366, description="Days for which an order awaits its patches.")
    expiry_seconds: float = Field(
        60.0,
        gt=0,
        allow_inf_nan=False,
        description="Seconds between two searches for overdue orders, whose holds are released.",
    )

    sweep_seconds: float = Field(
        3600.0,
        gt=0,
        allow_inf_nan=False,
        description="Seconds between two searches for pixels beyond their days and for files without a row.",
    )
    orphan_hours: float = Field(
        24.0, gt=0, allow_inf_nan=False, description="Hours after which a file that no row names is removed."
    )

    heads_folder: Path | None = Field(
        None,
        description="Folder into which signed heads of the ledger are published; unset: `heads` in home.",
    )
    heads_url: str | None = Field(
        None, description="Address to which each published file of heads is also sent by POST."
    )
    heads_seconds: float = Field(
        3600.0, gt=0, allow_inf_nan=False, description="Seconds between two publications of heads."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read settings from files as well, such as `loupe_api_key`, if the folder of secrets is there."""
        folder = Path(os.environ.get("LOUPE_SECRETS") or SECRETS_FOLDER)
        if folder.is_dir():
            file_secret_settings = SecretsSettingsSource(settings_cls, secrets_dir=folder)
        return init_settings, env_settings, dotenv_settings, file_secret_settings

    @field_validator("api_key")
    @classmethod
    def _long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        if key is None or not key.get_secret_value():
            return None  # `LOUPE_API_KEY=` in a compose file means "none"
        text = key.get_secret_value()
        sentence = "An API key has ASCII characters only, and no blanks."
        if text.isascii() and text.isprintable() and " " not in text:
            bits = key_bits(text)
            if bits >= KEY_BITS:
                return key
            sentence = (
                f"It has at most {bits:.0f} bits of randomness, and a key needs {KEY_BITS}. "
                "Use 32 or more random characters, such as from `openssl rand -hex 32`."
            )
        raise PydanticCustomError("api_key_invalid", "{sentence}", {"sentence": sentence})

    @field_validator("metrics_port", mode="before")
    @classmethod
    def _port(cls, port: object) -> object:
        return None if port == "" else port  # `LOUPE_METRICS_PORT=` in a compose file means "unset"

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, url: SecretStr | None) -> SecretStr | None:
        if url is None or not url.get_secret_value():
            return None
        if not url.get_secret_value().startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
            sentence = "Only PostgreSQL is supported: postgresql://user:password@host/database."
            raise PydanticCustomError("database_url_invalid", "{sentence}", {"sentence": sentence})
        return url

    @field_validator("default_bundle", "log")
    @classmethod
    def _named(cls, name: str | None) -> str | None:
        return name or None  # `LOUPE_DEFAULT_BUNDLE=` in a compose file means "unset"

    @field_validator("bundle_sha256", mode="before")
    @classmethod
    def _are_digests(cls, given: str | frozenset[str]) -> frozenset[str]:
        parts = given.replace(",", " ").split() if isinstance(given, str) else given
        if any(re.fullmatch(r"[0-9a-f]{64}", part) is None for part in parts):
            sentence = "Each sha256 is 64 digits and letters a to f, as `GET /v1/bundles` shows them."
            raise PydanticCustomError("bundle_sha256_invalid", "{sentence}", {"sentence": sentence})
        return frozenset(parts)

    @field_validator("trusted_hosts", "trusted_proxies", mode="before")
    @classmethod
    def _are_names(cls, given: str | frozenset[str]) -> frozenset[str]:
        parts = given.replace(",", " ").split() if isinstance(given, str) else given
        return frozenset(part.lower() for part in parts)

    @field_validator("heads_url")
    @classmethod
    def _is_address(cls, url: str | None) -> str | None:
        if url and not url.startswith(("http://", "https://")):
            sentence = "The address of a webhook begins with https:// or http://."
            raise PydanticCustomError("heads_url_invalid", "{sentence}", {"sentence": sentence})
        return url or None  # `LOUPE_HEADS_URL=` in a compose file means "unset"

    @field_validator("bundle")
    @classmethod
    def _not_removed(cls, folder: str | None) -> None:
        if folder:
            sentence = (
                "It is no longer read. Set LOUPE_BUNDLES to a folder that holds the bundles' folders, and "
                "LOUPE_DEFAULT_BUNDLE to the name of the bundle that plans use by default."
            )
            raise PydanticCustomError("bundle_removed", "{sentence}", {"sentence": sentence})

    @property
    def state(self) -> Path:
        """Absolute path of `home`, with ~ expanded."""
        return self.home.expanduser().absolute()

    @property
    def blobs(self) -> Path:
        """Folder of the uploaded files, each named by its SHA-256."""
        return self.state / "blobs"

    @property
    def published_heads(self) -> Path:
        """Folder of the published heads."""
        return self.state / "heads" if self.heads_folder is None else self.heads_folder.expanduser()

    @property
    def heads_key(self) -> Path:
        """File of the key that signs published heads."""
        return self.state / "heads.key"


def get_settings(request: Request) -> Settings:
    """Return the settings of the running application."""
    return cast(Settings, request.state.settings)


def get_blobs(request: Request) -> Path:
    """Return the folder of the uploaded files."""
    return cast(Path, request.state.blobs)


SettingsDep = Annotated[Settings, Depends(get_settings)]
BlobsDep = Annotated[Path, Depends(get_blobs)]


def key_bits(text: str) -> float:
    """Return an upper bound of the bits of randomness in an ASCII text, from its length and its characters.

    It counts each character as drawn from all digits, hexadecimal digits, letters and digits, or printable
    characters, whichever is the smallest of these sets; a text of few different characters counts by those.
    """
    alphabets = (
        string.digits,
        "0123456789abcdef",
        string.ascii_lowercase + string.digits,
        string.ascii_letters + string.digits,
    )
    size = next((len(one) for one in alphabets if set(text) <= set(one)), len(string.printable.strip()))
    different = len(set(text))
    return len(text) * math.log2(size if different >= FEW_CHARACTERS else max(different, 1))
