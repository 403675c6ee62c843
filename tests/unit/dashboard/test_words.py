"""The words of the pages: each is explained, and leads to its meaning where it is first met."""

import re

import pytest

from service.dashboard.rendering import HERE
from service.dashboard.words import GROUPS, address_of, anchor
from service.ledger.book import Movement

TEMPLATES = "\n".join(path.read_text() for path in sorted((HERE / "templates").glob("*.html")))
LINKED = set(re.findall(r'(?:word\(|about=)"([^"]+)"', TEMPLATES))
UNLINKED = {kind.value for kind in Movement} | {"Round"}
"""Words to which another word leads, and one that sentences use alone."""


def test_every_linked_word_has_a_meaning() -> None:
    assert len(LINKED) > 25
    for name in LINKED:
        assert address_of(name) == f"/dashboard/words#{anchor(name)}"


def test_word_without_a_meaning_is_no_word() -> None:
    with pytest.raises(KeyError):
        address_of("Frobnication")


def test_every_word_is_linked_where_it_is_met() -> None:
    words = {name for group in GROUPS.values() for name in group}
    assert words - LINKED == UNLINKED


def test_every_meaning_is_a_sentence_and_every_anchor_is_one_of_a_kind() -> None:
    entries = [(name, meaning) for group in GROUPS.values() for name, meaning in group.items()]
    assert all(meaning[0].isupper() and meaning.endswith(".") for _, meaning in entries)
    anchors = [anchor(name) for name, _ in entries] + [anchor(title) for title in GROUPS]
    assert len(set(anchors)) == len(anchors)
