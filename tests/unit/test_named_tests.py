"""Tests that the documentation names: each exists."""

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.test_documentation import PAGES, ROOT

NAMED = re.compile(r"`((?:tests/)?[\w/]+\.py)((?:::\w+)+)(?:\[([^`\]]+)\])?`")
"""A test as pytest writes it; a file with a name of its own stands without its folder."""
INPUTS = ROOT / "docs" / "attacks.md"
NUMBERED_INPUTS = 37


def file_of(name: str) -> Path | None:
    """Return the only file of tests with a path or a name."""
    if name.startswith("tests/"):
        return ROOT / name if (ROOT / name).exists() else None
    found = list((ROOT / "tests").rglob(name))
    return found[0] if len(found) == 1 else None


def ids_of(test: Any) -> set[str]:
    """Return the ids of a test's parameters that are written out."""
    found = set[str]()
    for mark in (one for one in getattr(test, "pytestmark", []) if one.name == "parametrize"):
        values, ids = list(mark.args[1]), mark.kwargs.get("ids")
        named = ids if isinstance(ids, list) else [getattr(one, "id", one) for one in values]
        found.update(one for one in named if isinstance(one, str))
    return found


def missing(page: Path) -> Iterator[str]:
    """Yield the tests that a page names and that are not there."""
    for name, members, parameter in NAMED.findall(page.read_text()):
        path = file_of(name)
        found: Any = None
        if path is not None:
            found = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
            for member in members.split("::")[1:]:
                found = getattr(found, member, None)
        if not inspect.isfunction(found) or (parameter and parameter not in ids_of(found)):
            yield name + members + (f"[{parameter}]" if parameter else "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_names_existing_tests(page: Path) -> None:
    assert list(missing(page)) == []


def test_every_numbered_input_names_its_test() -> None:
    rows = re.findall(r"^\| (\d+) \|.*\| (.+) \|$", INPUTS.read_text(), re.MULTILINE)

    assert [int(number) for number, _ in rows] == list(range(1, NUMBERED_INPUTS + 1))
    assert [number for number, test in rows if not NAMED.search(test)] == []
