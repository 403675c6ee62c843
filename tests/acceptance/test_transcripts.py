"""Every command that the documentation shows with its output prints this output."""

from pathlib import Path

import pytest

from tests.support.server import ROOT, running_server
from tests.support.transcripts import ELSEWHERE, blocks, is_elsewhere, replayed

PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])


def commands(page: Path) -> list[str]:
    """Return the commands that a page shows with their output."""
    return [command for block in blocks(page.read_text()) for command, _ in block]


RUN = [page for page in PAGES if any(not is_elsewhere(command) for command in commands(page))]


@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_shows_what_its_commands_print(page: Path, tmp_path: Path) -> None:
    """`python -m tests.evidence transcripts` writes the outputs of now into the pages."""
    with running_server(ROOT / "models" / "bundles" / "starter", LOUPE_API_KEY="") as server:
        assert replayed(page, server, tmp_path) == page.read_text()


def test_pages_do_not_mix_commands_of_this_test_with_those_of_others() -> None:
    assert [page for page in RUN if any(map(is_elsewhere, commands(page)))] == []
    assert [path for path in ELSEWHERE.values() if not (ROOT / path).is_file()] == []
