"""The sentences of the service that answers may state."""

import ast
from collections.abc import Iterator
from pathlib import Path

SERVICE = Path(__file__).parent.parent.parent / "service"
DESCRIBING = {"description", "summary", "help"}
"""Arguments whose texts are documentation."""


def sentences(elsewhere: set[str]) -> Iterator[str]:
    """Yield every text of a module in a package of the service that ends as a sentence, with 7 as each value.

    Packages in `elsewhere` are left out, and documentation.
    """
    for path in SERVICE.rglob("*.py"):
        if elsewhere.isdisjoint((*path.relative_to(SERVICE).parts, path.name)):
            tree = ast.parse(path.read_text())
            skipped = set(map(id, _documentation(tree)))
            texts = (_text(node) for node in ast.walk(tree) if id(node) not in skipped)
            yield from (text for text in texts if " " in text and text.endswith((".", "?")))


def _documentation(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield docstrings and descriptions, and the parts of longer texts."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            yield node.value
        elif isinstance(node, ast.keyword) and node.arg in DESCRIBING:
            yield from ast.walk(node)
        elif isinstance(node, ast.JoinedStr):
            yield from node.values


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(one.value) if isinstance(one, ast.Constant) else "7" for one in node.values)
    return ""
