"""Notices: the sentence that the next page shows after an action.

It travels in a cookie, signed with the session's token, so that reloading a page does not repeat it and
another site cannot put words on a page.
"""

import base64
import binascii
import hashlib
import hmac

from fastapi import Request, Response

from service.dashboard.session import PATH, Visitor, is_secure

COOKIE = "loupe_notice"
SECONDS = 60
"""Time in which the browser loads the next page."""


def leave_notice(request: Request, answer: Response, visitor: Visitor, sentence: str) -> None:
    """Show a sentence on the next page."""
    text = base64.urlsafe_b64encode(sentence.encode()).decode()
    answer.set_cookie(
        COOKIE,
        f"{text}.{_signature(visitor, text)}",
        max_age=SECONDS,
        path=PATH,
        httponly=True,
        samesite="strict",
        secure=is_secure(request),
    )


def read_notice(request: Request, visitor: Visitor) -> str | None:
    """Return the sentence that an action left for this page, if there is one of this session."""
    text, _, signature = request.cookies.get(COOKIE, "").partition(".")
    if not hmac.compare_digest(signature.encode(), _signature(visitor, text).encode()):
        return None
    try:
        return base64.urlsafe_b64decode(text).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def drop_notice(request: Request, answer: Response) -> None:
    """Let the browser forget the notice that its page shows."""
    answer.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="strict", secure=is_secure(request))


def _signature(visitor: Visitor, text: str) -> str:
    return hmac.new(visitor.token.encode(), f"notice:{text}".encode(), hashlib.sha256).hexdigest()
