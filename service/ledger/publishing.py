"""Publication of signed heads: numbered files in a folder, and a webhook.

A file names the SHA-256 of the file before it and is signed with the server's key, so a file that is changed,
removed from the middle or added by somebody else is found. Whoever has the key and can write to the folder
can replace all of them: send them elsewhere, or mount the folder from a store that keeps every version.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi.concurrency import run_in_threadpool

from service.database.engine import Database
from service.ledger.findings import Finding
from service.ledger.heads import Head, heads
from service.settings import Settings

logger = logging.getLogger(__name__)

WEBHOOK_SECONDS = 10.0
"""Longest wait for an answer of the webhook."""
_UNSENT = ".unsent"
"""Suffix of an empty file beside a published one that the webhook has not taken yet."""


@dataclass(frozen=True, kw_only=True)
class Publisher:
    """Where heads are published, and the key that signs them."""

    folder: Path
    key: bytes
    webhook: str | None = None


def publisher_of(settings: Settings) -> Publisher:
    """Return the publisher that the settings describe."""
    return Publisher(
        folder=settings.published_heads, key=signing_key(settings.heads_key), webhook=settings.heads_url
    )


def signing_key(path: Path) -> bytes:
    """Return the key in a file that only its owner reads; make it if there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
                file.write(secrets.token_hex(32))
        except FileExistsError:
            pass  # another process was first
    return bytes.fromhex(path.read_text())


def publish_heads(database: Database, publisher: Publisher) -> Path | None:
    """Write the heads into the next file; None if nothing changed since the last.

    Files that the webhook has not taken yet are sent to it, oldest first. httpx.HTTPError if it takes none.
    """
    path = _publish_next(database, publisher)
    if publisher.webhook is not None:
        if path is not None:
            path.with_suffix(_UNSENT).touch()
        _send(publisher.folder, publisher.webhook)
    return path


def _publish_next(database: Database, publisher: Publisher) -> Path | None:
    with database.sessions() as session:
        found = [head.to_json() for head in heads(session)]
    files = published_files(publisher.folder)
    last = files[-1].read_bytes() if files else None
    if last is not None and json.loads(last)["heads"] == found:
        return None
    content: dict[str, Any] = {
        "number": len(files) + 1,
        "at": datetime.now(UTC).isoformat(),
        "previous": None if last is None else hashlib.sha256(last).hexdigest(),
        "heads": found,
    }
    signed = json.dumps(content | {"signature": signature_of(content, publisher.key)}, indent=1).encode()
    path = publisher.folder / f"heads-{content['number']:08}.json"
    # If it exists by now, another process published at the same moment.
    return path if _write_once(path, signed) else None


def _send(folder: Path, webhook: str) -> None:
    for mark in sorted(folder.glob(f"heads-*{_UNSENT}")):
        file = mark.with_suffix(".json").read_bytes()
        httpx.post(webhook, content=file, timeout=WEBHOOK_SECONDS).raise_for_status()
        mark.unlink(missing_ok=True)


def signature_of(content: dict[str, Any], key: bytes) -> str:
    """Return the HMAC-SHA256 of a file's members but the signature, sorted by name, in hexadecimal."""
    signed = {name: value for name, value in content.items() if name != "signature"}
    text = json.dumps(signed, sort_keys=True, separators=(",", ":"))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def published_files(folder: Path) -> list[Path]:
    """Return the published files, oldest first."""
    return sorted(folder.glob("heads-*.json"))


@dataclass(frozen=True, kw_only=True)
class Publication:
    """The newest published file."""

    number: int
    at: datetime
    heads: tuple[Head, ...]
    is_signed: bool
    """Whether the server's key signed it."""


def newest_publication(settings: Settings) -> Publication | None:
    """Read the newest published file, and make neither folder nor key; None without a file.

    ValueError, TypeError or KeyError for a file that `publish_heads` did not write.
    """
    files = published_files(settings.published_heads)
    if not files:
        return None
    content = json.loads(files[-1].read_bytes())
    keyed = settings.heads_key.exists()
    signature = signature_of(content, signing_key(settings.heads_key)) if keyed else ""
    return Publication(
        number=int(content["number"]),
        at=datetime.fromisoformat(content["at"]),
        heads=tuple(Head.from_json(one) for one in content["heads"]),
        is_signed=hmac.compare_digest(str(content["signature"]), signature),
    )


def read_published(publisher: Publisher) -> Iterator[Head | Finding]:
    """Yield the heads of every published file, and a finding for a file that is missing or was changed."""
    previous = None
    for number, path in enumerate(published_files(publisher.folder), start=1):
        written = path.read_bytes()
        try:
            content = json.loads(written)
            whole = hmac.compare_digest(content["signature"], signature_of(content, publisher.key))
            in_order = (content["number"], content["previous"]) == (number, previous)
            noted = [Head.from_json(one) for one in content["heads"]]
        except (ValueError, TypeError, KeyError):
            whole, in_order, noted = False, False, []
        if not (whole and in_order):
            yield Finding(rule="C6 published heads are signed and complete", subject=path.name)
        yield from noted
        previous = hashlib.sha256(written).hexdigest()


def _write_once(path: Path, content: bytes) -> bool:
    """Write a file that does not exist yet and cannot be seen half written; False if it exists."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    draft.write_bytes(content)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


@asynccontextmanager
async def publishing_heads(database: Database, publisher: Publisher, seconds: float) -> AsyncIterator[None]:
    """Publish the heads every `seconds` in the background; leaving publishes them once more."""
    stop = asyncio.Event()
    publishing = asyncio.create_task(_publish_until(stop, database, publisher, seconds))
    try:
        yield
    finally:
        stop.set()
        await publishing


async def _publish_until(
    stop: asyncio.Event, database: Database, publisher: Publisher, seconds: float
) -> None:
    while True:
        try:
            await run_in_threadpool(publish_heads, database, publisher)
        except Exception:  # folder, webhook or database may be away for a while: the next round tries again
            logger.exception("The heads could not be published; the next attempt is in %g s.", seconds)
        if stop.is_set():
            return
        try:
            await asyncio.wait_for(stop.wait(), seconds)
        except TimeoutError:
            continue
