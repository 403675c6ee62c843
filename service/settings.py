"""Settings, read once from the environment (prefix `LOUPE_`) or `.env`, then passed along."""

from pathlib import Path
from typing import Annotated, Literal, cast

from fastapi import Depends, Request
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 1024 * 1024
SHORTEST_KEY = 16
RoleCheck = Literal["warn", "refuse", "off"]


class Settings(BaseSettings):
    """Everything an operator can set; `.env.example` lists each with its meaning."""

    model_config = SettingsConfigDict(env_prefix="LOUPE_", env_file=".env", extra="ignore", frozen=True)

    home: Path = Field(Path("~/.loupe"), description="state: embedded database, blobs")
    host: str = Field("127.0.0.1", description="address the server binds to")
    port: int = Field(8000, ge=0, le=65535, description="port; 0 picks a free one")
    api_key: SecretStr | None = Field(None, description="a first API key chosen by the operator")
    database_url: SecretStr | None = Field(None, description="PostgreSQL; embedded one when unset")
    role_check: RoleCheck = Field("warn", description="of a role that could get round the ledger")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the networks run")
    threads: int = Field(
        0, ge=0, le=256, description="CPU threads of the networks; 0 means every core, at most 8"
    )
    bundle: Path = Field(
        Path(__file__).parent.parent / "models" / "bundles" / "starter",
        description="folder of the bundle to serve",
    )
    scene_body_limit: int = Field(32 * MIB, gt=0, description="largest scene upload, bytes")
    patch_body_limit: int = Field(64 * MIB, gt=0, description="largest delivered patch, bytes")
    body_limit: int = Field(MIB, gt=0, description="largest body of any other request, bytes")
    decode_seconds: float = Field(20.0, gt=0, description="wall time a decode may take")

    quote_days: int = Field(30, ge=1, le=366, description="days for which a plan may be ordered")
    order_days: int = Field(30, ge=1, le=366, description="days for which an order awaits its patches")
    expiry_seconds: float = Field(
        60.0, gt=0, description="seconds between two searches for overdue orders, whose holds are released"
    )

    @field_validator("api_key")
    @classmethod
    def _long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        if key is None or not key.get_secret_value():
            return None  # `LOUPE_API_KEY=` in a compose file means "none"
        text = key.get_secret_value()
        if len(text) < SHORTEST_KEY or not text.isascii() or any(letter.isspace() for letter in text):
            raise ValueError(f"an API key has at least {SHORTEST_KEY} ASCII characters and no blanks")
        return key

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, url: SecretStr | None) -> SecretStr | None:
        if url is None or not url.get_secret_value():
            return None
        if not url.get_secret_value().startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
            raise ValueError("only PostgreSQL is supported: postgresql://user:password@host/database")
        return url

    @property
    def state(self) -> Path:
        """`home` with ~ expanded, absolute."""
        return self.home.expanduser().absolute()

    @property
    def blobs(self) -> Path:
        """Folder of the uploaded bytes, named by their sha256."""
        return self.state / "blobs"


def get_settings(request: Request) -> Settings:
    """Return the settings that the running app was made with."""
    return cast(Settings, request.state.settings)


def get_blobs(request: Request) -> Path:
    """Return the folder of the uploaded bytes."""
    return cast(Path, request.state.blobs)


SettingsDep = Annotated[Settings, Depends(get_settings)]
BlobsDep = Annotated[Path, Depends(get_blobs)]
