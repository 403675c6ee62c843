"""CSV files with a byte order mark, for browsers whose reader wants them so.

Without the mark Excel reads a file that somebody opens in the code page of Windows, and shows "MÃ¼nchen" for
"München". Many programs take the mark for a part of the first column's name, so that files have none unless
the reader asked for it, and those of the API never have one.
"""

from datetime import timedelta

from fastapi import Request, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.dashboard.session import PATH, cookie_name, set_cookie

COOKIE, FOR_EXCEL = "loupe_csv", "excel"
KEPT = timedelta(days=365)
MARK = b"\xef\xbb\xbf"


def wants_mark(request: Request) -> bool:
    """Return whether CSV files begin with the mark in this browser."""
    return request.cookies.get(cookie_name(request, COOKIE)) == FOR_EXCEL


def choose_mark(request: Request, answer: Response, *, is_wanted: bool) -> None:
    """Keep the reader's choice in the browser."""
    set_cookie(
        request,
        answer,
        COOKIE,
        FOR_EXCEL if is_wanted else "",
        KEPT if is_wanted else timedelta(),
    )


class CsvMarkMiddleware:
    """Middleware that puts the mark in front of the dashboard's CSV files where the browser's cookie asks."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        is_page = scope["type"] == "http" and scope["path"].startswith(f"{PATH}/")
        if not is_page or not wants_mark(Request(scope)):
            await self.app(scope, receive, send)
            return
        is_due = False

        async def send_marked(message: Message) -> None:
            nonlocal is_due
            if message["type"] == "http.response.start":
                is_due = is_csv(message)
                message = with_longer_body(message) if is_due else message
            elif is_due:
                message, is_due = {**message, "body": MARK + message.get("body", b"")}, False
            await send(message)

        await self.app(scope, receive, send_marked)


def is_csv(start: Message) -> bool:
    """Return whether an answer is a CSV file."""
    media_type = Headers(raw=start["headers"]).get("content-type", "")
    return start["status"] == 200 and media_type.startswith("text/csv")


def with_longer_body(start: Message) -> Message:
    """Return the start of an answer whose body grows by the mark."""
    headers = MutableHeaders(raw=list(start["headers"]))
    if length := headers.get("content-length"):
        headers["content-length"] = str(int(length) + len(MARK))
    return {**start, "headers": headers.raw}
