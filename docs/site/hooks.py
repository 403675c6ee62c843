"""Hooks of MkDocs: pages made at build time, and links that work on the site as in the repository."""

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.site.command_line import command_pages
from docs.site.operations import operations_page, schemas_page
from docs.site.problems import problems_page
from docs.site.repository import BEYOND, beyond_page, decisions_page, with_links_of_the_site
from docs.site.settings_page import settings_page
from service.cli import app
from training.cli import app as training_app


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made, and those of files outside `docs/`."""
    pages = {place: beyond_page(path) for path, place in BEYOND.items()} | made_pages()
    for place, content in pages.items():
        files.append(File.generated(config, place, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Let links to files of the repository lead to pages of the site."""
    return with_links_of_the_site(markdown, page.file.src_uri)


def made_pages() -> dict[str, str]:
    """Return the pages of the reference and the list of the decisions, by their places on the site."""
    return {
        "reference/cli.md": "# Command line\n\n" + command_pages(app, "loupe"),
        "reference/training-cli.md": "# Command line of training\n\n"
        + command_pages(training_app, "loupe-train"),
        "reference/http.md": operations_page(),
        "reference/schemas.md": schemas_page(),
        "reference/settings.md": settings_page(),
        "reference/problems.md": problems_page(),
        "decisions/index.md": decisions_page(),
    }
