"""Links and commands in the documentation."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from service.cli import app

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        ROOT / "training" / "README.md",
        ROOT / "examples" / "demo" / "sample" / "README.md",
        *ROOT.glob("models/bundles/*/README.md"),
    ]
)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
TARGET = re.compile(r"^([a-z-]+):", re.MULTILINE)
PATH = re.compile(
    r"(?<![\w/])((?:loupe|service|training|models|migrations|tests|examples)/[\w./-]*\w(?:\.py|\.sql|/))(?![\w*])"
)
PLACEHOLDER = re.compile(r"YYYY|DOMAIN|/mine\.py")
OPENED = re.compile(r"^ *```([^\n]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as repository hosts make them."""
    text = FENCE.sub("", page.read_text())
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in HEADING.findall(text)}


def broken_links(page: Path) -> Iterator[str]:
    for path, anchor in LINK.findall(page.read_text()):
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield f"{path}#{anchor}" if anchor else path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_links_to_existing_files_and_headings(page: Path) -> None:
    assert list(broken_links(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_names_existing_files(page: Path) -> None:
    named = {path for path in PATH.findall(page.read_text()) if not PLACEHOLDER.search(path)}

    assert sorted(path for path in named if not (ROOT / path).exists()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_names_existing_make_targets(page: Path) -> None:
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE))

    assert named - set(TARGET.findall((ROOT / "Makefile").read_text())) == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_names_existing_loupe_commands(page: Path) -> None:
    named = re.findall(r"(?:^ *(?:\$ )?|`)loupe ([a-z]+)(?: ([a-z]+))?", page.read_text(), re.MULTILINE)

    assert [f"{command} {sub}" for command, sub in named if not is_command(command, sub)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_says_of_each_block_what_it_is(page: Path) -> None:
    """Output of a command must be in a `console` block below it, for those are run again."""
    blocks = OPENED.findall(page.read_text())

    assert [inner for kind, inner in blocks if not kind] == []
    shown = [inner.lstrip() for kind, inner in blocks if kind == "console"]
    assert [inner for inner in shown if not inner.startswith("$ ")] == []


def is_command(name: str, sub: str) -> bool:
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    found = root.commands.get(name)
    return not sub or sub in found.commands if isinstance(found, TyperGroup) else found is not None
