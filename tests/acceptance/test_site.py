"""The documentation as a site: built strictly, without a network, and like the pages in the repository."""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from markdown_it import MarkdownIt

from docs.site.repository import BEYOND
from tests.support.browsers import chromium
from tests.support.server import ROOT

COUNTED = {"h1", "h2", "h3", "h4", "li", "pre", "table", "tr", "img", "ol", "ul"}
LOADING = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}
ELSEWHERE = re.compile(r"(?:https?:)?//")
PAGES = {
    path.relative_to(ROOT / "docs").as_posix(): path for path in sorted((ROOT / "docs").rglob("*.md"))
} | {place: ROOT / path for path, place in BEYOND.items() if path.endswith(".md")}


class Tags(HTMLParser):
    """The tags of a page, with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.found.append((tag, dict(attrs)))

    def counts(self) -> Counter[str]:
        """Return the number of each tag that makes the structure of a text."""
        return Counter(tag for tag, _ in self.found if tag in COUNTED)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as `make docs` does, into a folder of its own."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def article(site: Path, place: str) -> str:
    """Return the text of a page without the frame around it."""
    page = site / place.replace("README.md", "index.md").replace(".md", ".html")
    found = re.search(r"<article.*?>(.*)</article>", page.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("place", PAGES)
def test_page_has_the_structure_that_a_repository_host_shows(site: Path, place: str) -> None:
    """Both read the same Markdown, but not alike: lists without a blank line before them, short indents."""
    host = MarkdownIt("commonmark").enable("table").render(PAGES[place].read_text())

    assert Tags(article(site, place)).counts() == Tags(host).counts()


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    loaded = [
        (page.name, tag, attributes[LOADING[tag]])
        for page in pages
        for tag, attributes in Tags(page.read_text()).found
        if tag in LOADING and ELSEWHERE.match(attributes.get(LOADING[tag]) or "")
    ]
    styles = [
        path
        for path in site.rglob("*.css")
        if re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", path.read_text())
    ]

    assert len(pages) > 50
    assert (loaded, styles) == ([], [])


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    """Serve the site on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class Quiet(SimpleHTTPRequestHandler):
    """A handler without a log."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("page", ["index.html", "architecture.html", "reference/http.html"])
def test_browser_asks_no_other_host(address: str, page: str) -> None:
    """Scripts of the theme could load more than the page names."""
    asked: list[str] = []
    with chromium() as browser:
        shown = browser.new_page()
        shown.on("request", lambda request: asked.append(request.url))
        shown.goto(f"{address}/{page}", wait_until="networkidle")
        assert shown.locator("article h1").count() == 1

    assert len(asked) > 2
    assert [url for url in asked if not url.startswith(address)] == []
