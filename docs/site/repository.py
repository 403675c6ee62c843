"""Files of the repository as pages of the site, and the links between them."""

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = "docs/"
BEYOND: Mapping[str, str] = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "SECURITY.md": "project/security.md",
    "NOTICE": "project/notice.md",
    "training/README.md": "training.md",
    "examples/demo/sample/README.md": "sample.md",
    "models/bundles/starter/README.md": "bundles/starter.md",
    "models/bundles/tanks/README.md": "bundles/tanks.md",
}
"""Files outside `docs/` that are pages, with their places on the site."""
MADE: Mapping[str, str] = {
    ".env.example": "reference/settings.md",
    "docs/decisions": "decisions/index.md",
    "docs/how-to": "how-to/README.md",
}
"""Files and folders that a host of the repository shows, with the pages that stand for them on the site."""
FENCE = re.compile(r"^( *)(```|~~~).*?^\1\2", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[([^\[\]]*)\]\((?!https?:|mailto:|#)([^)#\s]+)((?:#[^)\s]+)?)\)")


def place_of(path: str) -> str | None:
    """Return the place on the site of a file or folder of the repository, None if it has none."""
    known = {**BEYOND, **MADE}.get(path.rstrip("/"))
    return known or (path.removeprefix(DOCS) if path.startswith(DOCS) else None)


def path_of(place: str) -> str:
    """Return the file of the repository that a page of the site shows."""
    return {shown: path for path, shown in BEYOND.items()}.get(place, DOCS + place)


def beyond_page(path: str) -> str:
    """Return the Markdown of a file outside `docs/`; a plain text becomes a block."""
    text = (ROOT / path).read_text()
    return text if path.endswith(".md") else f"# {Path(path).name.capitalize()}\n\n```\n{text}```\n"


def with_links_of_the_site(markdown: str, place: str) -> str:
    """Return a page with its links to files of the repository leading to pages of the site.

    Of a link to a file without a page only the text stays. A link to nothing is left to the strict build.
    """
    folder = posixpath.dirname(path_of(place))

    def replaced(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, link[2]))
        target = place_of(path)
        if target is None:
            return link[1] if (ROOT / path).exists() else link[0]
        return f"[{link[1]}]({posixpath.relpath(target, posixpath.dirname(place) or '.')}{link[3]})"

    parts, end = [], 0
    for fence in FENCE.finditer(markdown):
        parts += [LINK.sub(replaced, markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, LINK.sub(replaced, markdown[end:])])


def decisions_page() -> str:
    """Return the list of the decision records, the newest last."""
    rows = []
    for record in sorted((ROOT / "docs/decisions").glob("*.md")):
        title = record.read_text().partition("\n")[0].removeprefix("# ")
        rows.append(f"- [{title}]({record.name})")
    return "# Decisions\n\nOne record for each choice that is hard to reverse.\n\n" + "\n".join(rows) + "\n"
