import runpy
from pathlib import Path

import pytest

BENCHMARK = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "training_throughput.py"))
repaired = BENCHMARK["repaired"]


def test_every_repair_is_made_wherever_it_applies():
    source = "a.cuda(async=True); b.cuda()"
    assert repaired(source, BENCHMARK["REPAIRS"]["pretrain.py"]) == "a.to(DEVICE); b.to(DEVICE)"


def test_another_version_is_refused():
    with pytest.raises(ValueError, match="another commit"):
        repaired("a.cpu()", BENCHMARK["REPAIRS"]["pretrain.py"])
