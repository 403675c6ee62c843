"""Warnings as JSON."""

from typing import Any

from pydantic import BaseModel, Field


class WarningOut(BaseModel):
    """A doubt about something that was carried out all the same."""

    code: str = Field(description="Kind of the warning.", examples=["threshold-reached"])
    detail: str = Field(description="The warning as a sentence, with what to do.")
    figures: dict[str, Any] = Field({}, description="Numbers that led to the warning.")
