"""API keys: recognisable, unguessable, kept as digests."""

import hashlib

import pytest

from service.access.keys import PATTERN, digest, id_of, new_key


def test_new_key_has_a_public_id_and_a_long_secret() -> None:
    match = PATTERN.fullmatch(new_key())

    assert match is not None
    assert (len(match[1]), len(match[2])) == (8, 43)


def test_new_key_never_repeats() -> None:
    assert len({new_key() for _ in range(1000)}) == 1000


def test_digest_is_the_sha256_of_the_whole_key() -> None:
    assert digest("loupe") == hashlib.sha256(b"loupe").digest()


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("loupe_abcdefgh_" + "x" * 43, "abcdefgh"),
        # An operator's own text has an id too, which does not give the text away.
        ("correct-horse-battery-staple", "q7f6x7xl"),
        ("loupe_abcdefgh_tooshort", "6siona6c"),
    ],
)
def test_id_of_has_eight_letters_for_every_key(key: str, expected: str) -> None:
    assert len(id_of(key)) == 8
    assert id_of(key) == expected
