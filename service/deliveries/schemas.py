"""Deliveries over HTTP: the receipt of one patch."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from service.web.money import MoneyOut
from service.web.paging import Link


class SupersededFile(BaseModel):
    """An earlier file of a patch, which a newer one replaced. It stays available by its version."""

    version: int = Field(description="Version of the file, from 1.")
    sha256: str = Field(description="SHA-256 of the file.")


class DeliveryOut(BaseModel):
    """The receipt of one file of a patch; sending the same file again gives the same receipt."""

    order: UUID = Field(description="Id of the order.")
    tile: int = Field(description="Number of the tile in the plan, from 0.")
    patch: int = Field(description="Number of the patch in its tile, 0 to 15, column by column.")
    version: int = Field(description="Version of this file among those of the patch, from 1.")
    supersedes: SupersededFile | None = Field(
        None, description="The file that was in use before this one. Omitted for the first file."
    )
    sha256: str = Field(description="SHA-256 of the delivered file.")
    size: int = Field(description="Size of the delivered file in bytes.")
    settled: MoneyOut = Field(description="Amount that was paid for the patch, once.")
    checks: dict[str, Any] = Field(description="Properties of the file that were verified, with the numbers.")
    delivered_at: datetime = Field(description="Time of the delivery of this file (UTC).")
    links: list[Link] = Field(description="The patch, this file of it, and its order.")
