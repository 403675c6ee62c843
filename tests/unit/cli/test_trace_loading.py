"""`loupe trace` computes bills again without the networks, whose libraries take seconds to load."""

import os
import subprocess
import sys


def test_trace_loads_no_networks() -> None:
    # Coverage starts in every Python process, and loads modules of its own.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    source = "import sys, service.cli.proofs; print(*sys.modules)"
    command = [sys.executable, "-c", source]
    answer = subprocess.run(command, env=plain, capture_output=True, text=True, check=True)
    loaded = set(answer.stdout.split())
    assert "service.plans.bills" in loaded
    assert not loaded & {"torch", "rasterio", "models.manifest"}
