"""Names of classes of the service and of the client."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SERVICE = ROOT / "service"


def public_classes(package: Path) -> dict[str, set[Path]]:
    """Return the modules of a package that define a class, by its name."""
    found: dict[str, set[Path]] = defaultdict(set)
    for path in package.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].add(path.relative_to(package))
    return found


@pytest.mark.parametrize(("package", "least"), [("service", 100), ("loupe", 60)])
def test_no_two_public_classes_have_the_same_name(package: str, least: int) -> None:
    """The client has the short names, such as Plan and Order, that tables have in the service."""
    found = public_classes(ROOT / package)

    assert len(found) > least
    assert {name: modules for name, modules in found.items() if len(modules) > 1} == {}


def test_no_two_errors_have_the_same_code() -> None:
    """A client tells errors apart by their code."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in SERVICE.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                for code in codes_of(node):
                    found[code].add(node.name)

    assert len(found) > 50
    assert {code: names for code, names in found.items() if len(names) > 1} == {}


def codes_of(node: ast.ClassDef) -> list[str]:
    """Return the text that a class assigns to `code`, if it does."""
    assigned = [one for one in node.body if isinstance(one, ast.Assign | ast.AnnAssign)]
    return [
        one.value.value
        for one in assigned
        for target in (one.targets if isinstance(one, ast.Assign) else [one.target])
        if isinstance(target, ast.Name) and target.id == "code"
        if isinstance(one.value, ast.Constant) and isinstance(one.value.value, str)
    ]
