"""The planner is pure: it loads no framework in a fresh interpreter, and imports no impure module."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from service import planner

MODULES = ("curve", "order_shapes", "patches")  # beside those that the package imports itself
SOURCE = "; ".join(
    ["import sys", *(f"import service.planner.{name}" for name in MODULES), "print(*sys.modules)"]
)

FORBIDDEN = {
    "fastapi",
    "httpx",
    "pydantic",
    "rasterio",
    "safetensors",
    "sqlalchemy",
    "timm",
    "torch",
    "uvicorn",
}
IMPURE = {"logging", "os", "pathlib", "random", "time"}
"""Modules that scipy loads itself, but that no file of the planner may import."""
PURE = {"service", "service.currencies", "service.errors", "service.money", "models", "models.grid"}
"""The modules of the project that the planner may load, beside itself and the pure part of pricing."""
PURE_PRICING = {"areas", "billing", "charge_rules", "shape_rules"}


def test_importing_the_planner_loads_only_pure_modules() -> None:
    # Coverage starts in every Python process, and loads modules of its own.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    command = [sys.executable, "-c", SOURCE]
    answer = subprocess.run(command, env=plain, capture_output=True, text=True, check=True)
    loaded = set(answer.stdout.split())
    own = {name for name in loaded if name.partition(".")[0] in {"service", "models", "training"}}
    pricing = {"service.pricing", *(f"service.pricing.{name}" for name in PURE_PRICING)}
    assert {name for name in own if not name.startswith("service.planner")} == PURE | pricing
    assert not loaded & FORBIDDEN


@pytest.mark.parametrize("file", sorted(Path(planner.__path__[0]).glob("*.py")), ids=lambda file: file.stem)
def test_no_file_of_the_planner_imports_an_impure_module(file: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.partition(".")[0])
    assert not imported & IMPURE
