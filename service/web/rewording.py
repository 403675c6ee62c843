"""Sentences of the API in the words of another interface: pages or commands."""

import re
from collections.abc import Iterable

Phrases = tuple[tuple[re.Pattern[str], str], ...]
"""Patterns of phrases, each with the words that replace it, in the order of their use."""
_SENTENCES = re.compile(r"(?<=[.?!]) (?=[A-Z`])")


def phrases(pairs: Iterable[tuple[str, str]]) -> Phrases:
    """Compile patterns and the words that replace them."""
    return tuple((re.compile(pattern), words) for pattern, words in pairs)


def reworded(text: str, replaced: Phrases, foreign: re.Pattern[str]) -> str:
    """Return a text with phrases replaced, and without sentences that are still `foreign`.

    A text that has no other sentence stays.
    """
    for pattern, words in replaced:
        text = pattern.sub(words, text)
    kept = [one for one in _SENTENCES.split(text) if not foreign.search(one)]
    return " ".join(kept) or text
