"""Pages and assets of the dashboard, and the formats of the figures in them."""

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal
from uuid import UUID, uuid4

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from service.dashboard.sizes import bytes_of
from service.dashboard.wording import plainly
from service.dashboard.words import address_of
from service.errors import NotFoundError
from service.money import Money
from service.web.money import MoneyOut

HERE = Path(__file__).parent
ASSETS = {
    "dashboard.css": "text/css; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "plans.css": "text/css; charset=utf-8",
    "sending.js": "text/javascript; charset=utf-8",
    "tables.css": "text/css; charset=utf-8",
    "sliders.js": "text/javascript; charset=utf-8",
    "times.js": "text/javascript; charset=utf-8",
    "loupe.svg": "image/svg+xml",
}
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "Cache-Control": "no-store",
    # Without it browsers send the sign-in form with `Origin: null`, as they do for a hostile page.
    "Referrer-Policy": "same-origin",
}

Kind = Literal["csv", "json"]


def render(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a template as a page. Values are escaped; scripts and everything else come from here."""
    page = _environment().get_template(template).render(**values)
    return HTMLResponse(page, status, headers=HEADERS)


def read_asset(name: str) -> tuple[bytes, str]:
    """Return an asset's bytes and media type. NotFoundError for an unknown name."""
    if name not in ASSETS:
        raise NotFoundError("The dashboard has no asset of this name.", asset=name)
    return _bytes_of(name), ASSETS[name]


def asset_url(name: str) -> str:
    """Return a URL that changes with the asset's content, so that browsers can cache it for ever."""
    return f"/dashboard/assets/{name}?v={hashlib.sha256(_bytes_of(name)).hexdigest()[:12]}"


def amount(money: Money | MoneyOut) -> str:
    """Format 1234567.50 as 1,234,567.50."""
    return f"{Decimal(money.amount):,}"


def in_text(money: Money | MoneyOut) -> str:
    """Format an amount for running text: "1,234,567.50 USD"."""
    return f"{amount(money)} {money.currency}"


def signed(money: MoneyOut) -> str:
    """Format a difference with its sign: "+12.50", "-3.00", "0.00"."""
    sign = "+" if Decimal(money.amount) > 0 else ""
    return f"{sign}{amount(money)}"


def percent(share: float) -> str:
    """Format 0.8125 as 81.2 %."""
    return f"{100 * share:.1f}\u202f%"


def share_of(part: MoneyOut, whole: MoneyOut) -> str:
    """Format an amount as its share of `whole`: "2.5 % of 1,000.00 USD"."""
    total = Decimal(whole.amount)
    if not total:
        return f"of {amount(whole)} {whole.currency}"
    return f"{percent(float(Decimal(part.amount) / total))} of {amount(whole)} {whole.currency}"


def count_of(number: int, noun: str) -> str:
    """Format a count and a noun: "1 order", "2 patches"."""
    ending = "es" if noun.endswith("ch") else "s"
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}{ending}"


def when(moment: datetime) -> str:
    """Format a time in UTC for people: "2 Nov 2026, 23:30"."""
    return f"{moment.astimezone(UTC):%-d %b %Y, %H:%M}"


def iso(moment: datetime) -> str:
    """Format a time in UTC as RFC 3339."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def short(identifier: UUID) -> str:
    """Format an id by its first eight digits, for a link whose title has all of them."""
    return str(identifier)[:8]


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
    filters = (amount, signed, percent, share_of, count_of, when, iso, short, bytes_of, plainly)
    environment.filters.update({function.__name__: function for function in filters})
    environment.globals |= {"asset": asset_url, "new_key": uuid4}
    environment.globals["address_of_word"] = address_of
    environment.globals["word"] = vars(environment.get_template("word.html").module)["word"]
    return environment
