"""Differences between two JSON documents, one line each."""

from itertools import zip_longest

Json = object
ABSENT = "(absent)"


def differences(before: Json, after: Json, path: str = "") -> list[str]:
    """Return one line for every place where the documents differ, with both values."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [*before, *(key for key in after if key not in before)]
        pairs = [(f"{path}/{key}", before.get(key, ABSENT), after.get(key, ABSENT)) for key in keys]
    elif isinstance(before, list) and isinstance(after, list):
        zipped = enumerate(zip_longest(before, after, fillvalue=ABSENT))
        pairs = [(f"{path}/{at}", one, other) for at, (one, other) in zipped]
    else:
        return [] if before == after else [f"{path}: {_short(before)} -> {_short(after)}"]
    return [line for where, one, other in pairs for line in differences(one, other, where)]


def _short(value: Json) -> str:
    text = str(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
