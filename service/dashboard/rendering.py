"""Templates and assets: everything the pages are made of comes from this package."""

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from service.errors import NotFoundError
from service.web.paging import MoneyOut

HERE = Path(__file__).parent
ASSETS = {"dashboard.css": "text/css; charset=utf-8", "loupe.svg": "image/svg+xml"}
CONTENT_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "Cache-Control": "no-store",
    # Without it browsers would send the sign-in form with `Origin: null`, like a hostile page's.
    "Referrer-Policy": "same-origin",
}


def render(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Fill a template, every value escaped, into a page that runs nothing and loads from here only."""
    page = _environment().get_template(template).render(**values)
    return HTMLResponse(page, status, headers=HEADERS)


def read_asset(name: str) -> tuple[bytes, str]:
    """Return an asset's bytes and media type; NotFoundError for any other name."""
    if name not in ASSETS:
        raise NotFoundError("There is no such asset.", asset=name)
    return _bytes_of(name), ASSETS[name]


def asset_url(name: str) -> str:
    """Address an asset by its content, so that browsers may keep it for ever."""
    return f"/dashboard/assets/{name}?v={hashlib.sha256(_bytes_of(name)).hexdigest()[:12]}"


def amount(money: MoneyOut) -> str:
    """Write 1234567.50 as 1,234,567.50."""
    return f"{Decimal(money.amount):,}"


def percent(share: float) -> str:
    """Write 0.8125 as 81.2 %."""
    return f"{100 * share:.1f}\u202f%"


def share_of(part: MoneyOut, whole: MoneyOut) -> str:
    """Say how much of `whole` a saving is, in words."""
    total = Decimal(whole.amount)
    if not total:
        return f"of {amount(whole)} {whole.currency}"
    return f"{percent(float(Decimal(part.amount) / total))} of {amount(whole)} {whole.currency}"


def count(number: int, noun: str) -> str:
    """Write "1 order", "2 orders"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def when(moment: datetime) -> str:
    """Write a time for people, in UTC."""
    return f"{moment.astimezone(UTC):%-d %b %Y, %H:%M}"


def iso(moment: datetime) -> str:
    """Write a time for machines (RFC 3339, UTC)."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@cache
def _bytes_of(name: str) -> bytes:
    return (HERE / "assets" / name).read_bytes()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (amount, percent, share_of, count, when, iso)
    environment.filters.update({function.__name__: function for function in filters})
    environment.globals["asset"] = asset_url
    return environment
