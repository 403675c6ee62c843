"""Settings, read once from the environment (prefix `LOUPE_`) or `.env`, then passed along."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 1024 * 1024


class Settings(BaseSettings):
    """Everything an operator can set; `.env.example` lists each with its meaning."""

    model_config = SettingsConfigDict(env_prefix="LOUPE_", env_file=".env", extra="ignore", frozen=True)

    home: Path = Field(Path("~/.loupe"), description="state: embedded database, blobs")
    host: str = Field("127.0.0.1", description="address the server binds to")
    port: int = Field(8000, ge=0, le=65535, description="port; 0 picks a free one")
    api_key: SecretStr | None = Field(None, description="a first API key chosen by the operator")
    database_url: SecretStr | None = Field(None, description="PostgreSQL; embedded one when unset")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the networks run")
    bundle: Path = Field(
        Path(__file__).parent.parent / "models" / "bundles" / "starter",
        description="folder of the bundle to serve",
    )
    scene_body_limit: int = Field(32 * MIB, gt=0, description="largest scene upload, bytes")
    patch_body_limit: int = Field(64 * MIB, gt=0, description="largest delivered patch, bytes")
    decode_seconds: float = Field(20.0, gt=0, description="wall time a decode may take")

    @property
    def state(self) -> Path:
        """`home` with ~ expanded, absolute."""
        return self.home.expanduser().absolute()
