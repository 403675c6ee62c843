"""The text of API keys: made, hashed and recognised. Pure except for the system's random numbers."""

import base64
import hashlib
import re
import secrets

PATTERN = re.compile(r"loupe_([a-z]{8})_([A-Za-z0-9_-]{43})")
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def new_key() -> str:
    """Make a key `loupe_<8 letters>_<43 characters>`: a public id and 256 random bits."""
    key_id = "".join(secrets.choice(LETTERS) for _ in range(8))
    return f"loupe_{key_id}_{secrets.token_urlsafe(32)}"


def digest(key: str) -> bytes:
    """Return the SHA-256 of a key. Unlike a password, 256 random bits need no slow hash."""
    return hashlib.sha256(key.encode()).digest()


def id_of(key: str) -> str:
    """Return the public id of a key; an operator's own text gets eight letters of its digest."""
    if ours := PATTERN.fullmatch(key):
        return ours[1]
    return base64.b32encode(digest(key)).decode()[:8].lower()
