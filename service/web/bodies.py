"""Bodies that a route reads by itself, as JSON or CSV.

A body arrives on the event loop. The dependencies that parse it are plain functions: the framework runs those
in a thread, so a long body does not keep other requests waiting.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from service.errors import LoupeError


@dataclass(frozen=True, kw_only=True)
class TextBody:
    """The bytes of a body, and whether it is declared as CSV."""

    raw: bytes
    is_csv: bool

    def text(self, unreadable: type[LoupeError]) -> str:
        """Return the text; `unreadable` for bytes that are not UTF-8."""
        try:
            return self.raw.decode("utf-8-sig")  # spreadsheets write a byte order mark first
        except UnicodeDecodeError as error:
            raise unreadable("The file is not UTF-8. Save it as 'CSV UTF-8'.") from error


async def receive_text(request: Request) -> TextBody:
    """Receive the body, which the body cap bounds."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return TextBody(raw=await request.body(), is_csv=media_type == "text/csv")


TextBodyDep = Annotated[TextBody, Depends(receive_text)]
